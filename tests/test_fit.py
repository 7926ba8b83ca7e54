"""The command `fit`, as its users type it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lit_anndl.config import presets
from tests.support.recorded import artifacts, printed_metrics, read_artifact

FIT = [sys.executable, "-m", "lit_anndl.fit"]
QUICK = ["surface", "--trainer.max_epochs", "3"]


@pytest.mark.parametrize("words", [["--list"], ["--help"], []])
def test_listing_needs_no_torch(words):
    code = f"import sys; from lit_anndl.fit import main; c = main({words}); print('torch' in sys.modules); sys.exit(c)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert all(name in done.stdout for name in presets.names())


def test_exercises_are_listed_by_session_with_their_presets_first_comment(command):
    _, out, _ = command("--list")
    groups = [group.splitlines() for group in out.split("\n\n")]
    assert [title[:10] for title, *_ in groups] == [f"Session {number}:" for number in range(1, len(groups) + 1)]
    listed = [line.split(maxsplit=1) for _, *lines in groups for line in lines]
    assert sorted(name for name, _ in listed) == presets.names()
    for name, summary in listed:
        assert presets.preset(name).read_text().startswith(f"# {summary.strip()}\n")


@pytest.mark.parametrize("name", presets.names())
def test_every_exercise_runs(name, command):
    run = command.run(name, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")
    assert run.info.status == "FINISHED"
    assert {"parameters", "seconds/fit", "seconds/epoch", "seconds/first_step"} <= run.data.metrics.keys()
    assert any(metric.startswith("test/") for metric in run.data.metrics)


def test_mistyped_exercise_as_a_process():
    done = subprocess.run([*FIT, "surfaec"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "fit: there is no exercise surfaec; did you mean surface?\n"


def test_a_process_leaves_a_clean_terminal(tmp_path):
    done = subprocess.run([*FIT, *QUICK], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""
    assert list(printed_metrics(done.stdout))[:2] == ["test/mse", "train/mse"]
    assert "seconds/fit" in done.stdout and " s\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hiden", "3"], "model.hiden: there is no such setting; did you mean model.hidden?"),
        (["--trainer.max_epoch", "3"], "trainer.max_epoch: there is no such setting; did you mean trainer.max_epochs?"),
        (["--dta.noise", "3"], "dta.noise: there is no such setting; did you mean data.noise?"),
        (["--model.hidden", "many"], "model.hidden: many was given, expected a whole number > 0"),
        (["--data.noise", "-0.1"], "data.noise: -0.1 was given, expected a number ≥ 0"),
        (["--data.batch_size", "0"], "data.batch_size: 0 was given, expected a whole number > 0"),
        (["--data.seed", "1.5"], "data.seed: 1.5 was given, expected a whole number ≥ 0"),
        (["--trainer.max_epochs", "ten"], "trainer.max_epochs: ten was given, expected a whole number ≥ 0, or -1"),
        (["--trainer.max_epochs", "-3"], "trainer.max_epochs: -3 was given, expected a whole number ≥ 0, or -1"),
        (["--trainer.max_steps", "-2"], "trainer.max_steps: -2 was given, expected a whole number ≥ 0, or -1"),
        (["--model.optimizer.lr", "fast"], "model.optimizer.lr: fast was given, expected a number"),
        (["--model.optimizer.lr", "-0.1"], "model.optimizer.lr: -0.1 was given, expected a number ≥ 0"),
        (["--model.optimizer.eps", "-1"], "model.optimizer.eps: -1.0 was given, expected a number ≥ 0"),
        (["--model.optimizer.betas", "[0.9, 1]"], "model.optimizer.betas: 1.0 was given, expected numbers from 0 to"),
        (["--model.hidden", f"{10**14}"], "these sizes do not fit into memory (allocate 800000000000000 bytes)"),
        (["--model.hidden", f"{10**24}"], "these sizes do not fit into memory (Overflow)"),
        (["--data.grid_size", f"{10**7}"], "these sizes do not fit into memory (allocate 400000000000000 bytes)"),
        (["--model.optimizer", "SGDD"], "model.optimizer: there is no class SGDD; did you mean SGD?"),
        (["--model.optimizer.momentum", "0.9"], "model.optimizer.momentum: Adam has no momentum"),
        (["--model.optimizer", "SGD", "--model.optimizer.betas", "[0.9, 0.99]"], "optimizer.betas: SGD has no betas"),
        (["--checkpoint.every_n_epochs", "0"], "checkpoint.every_n_epochs: 0 was given, expected a whole number > 0"),
        (["--checkpoint.mode", "least"], "checkpoint.mode: least was given, expected min or max"),
        (["--threads", "0"], "threads: 0 was given, expected a whole number > 0"),
        (["--model.hidden="], "model.hidden: nothing was given, expected a whole number > 0"),
        (["--data.noise"], "--data.noise: a value is expected after it"),
        (["0.3"], "0.3: not expected here; settings are given as --key value"),
        (["--seed_everything", "1.5"], "seed_everything: 1.5 was given, expected a whole number from 0 to 4294967295"),
        (["--seed_everything", "-1"], "seed_everything: -1 was given, expected a whole number from 0 to 4294967295"),
        (["--config", "nowhere.yaml"], "--config nowhere.yaml: No such file or directory"),
        (["--trainer.accelerator", "abacus"], "trainer.accelerator: abacus was given, expected one that is here: auto"),
        (["--trainer.accumulate_grad_batches", "2"], "trainer.accumulate_grad_batches has no effect here"),
        (
            ["--trainer.gradient_clip_val", "1", "--trainer.gradient_clip_algorithm", "nrm"],
            "nrm was given, expected norm",
        ),
        (["--data.validation_size", "1600"], "fit: data.validation_size 1600 leaves nothing to train on"),
        (["--checkpoint.monitor", "test/mse"], "checkpoint.monitor test/mse: expected a metric of train/ or val/"),
        (["--checkpoint.monitor", "val/mse"], "needs validation data: hold some out with data.validation_size, or"),
    ],
)
def test_wrong_input_gets_one_line_and_leaves_no_run(words, message, command):
    before = len(command.runs())
    code, out, err = command("surface", *words)
    assert (code, out) == (2, "")
    assert err.startswith("fit: ") and err.count("\n") == 1
    assert message in err
    assert len(command.runs()) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {hiden: 3}", "model.hiden: there is no such setting; did you mean model.hidden?"),
        ("trainer: {max_epoch: 3}", "trainer.max_epoch: there is no such setting; did you mean trainer.max_epochs?"),
        ("model: {class_path: 3}", "model"),
        ("trianer: {max_epochs: 3}", "trianer.max_epochs: there is no such setting; did you mean trainer.max_epochs?"),
        ("data: {noise: [", "is not valid YAML"),
        ("just words", "expected settings as `key: value`"),
    ],
)
def test_wrong_file(text, message, command, tmp_path):
    (tmp_path / "extra.yaml").write_text(text)
    code, _, err = command("surface", "--config", str(tmp_path / "extra.yaml"))
    assert code == 2
    assert err.count("\n") == 1
    assert message in err


def test_too_large_a_subset(command, digits):
    code, _, err = command("mnist_cnn", "--data.directory", str(digits), "--data.train_size", "401")
    assert (code, err) == (2, "fit: data.train_size 401 is more than the 400 images there are\n")


def test_data_directory_that_cannot_be_written(command, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIT_ANNDL_DATA", str(tmp_path / "file" / "data"))
    code, _, err = command("mnist_cnn")
    assert code == 2
    assert str(tmp_path / "file" / "data") in err and "LIT_ANNDL_DATA" in err and err.count("\n") == 1


def test_tracking_store_that_cannot_be_written(command, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")
    code, _, err = command(*QUICK)
    assert code == 2
    assert str(tmp_path) in err and err.count("\n") == 1


def test_surface_run_holds_everything(command, client):
    run = command.run(*QUICK, "--seed_everything", "5")
    assert run.info.status == "FINISHED"
    assert run.data.params["model.optimizer"] == "Adam"
    assert run.data.params["model.hidden"] == "50"
    assert run.data.params["data.noise"] == "0.1"
    assert {"exercise": "surface", "seed": "5"}.items() <= run.data.tags.items()
    assert {"version.torch", "python", "cpu"} <= run.data.tags.keys()
    history = client.get_metric_history(run.info.run_id, "train/mse")
    assert [metric.step for metric in history] == [0, 1, 2]
    assert run.data.metrics["parameters"] == 2751
    stored = artifacts(client, run.info.run_id)
    images = {name for name in stored if name.startswith("images/figures~")}
    assert {Path(name).suffix for name in images} == {".png", ".webp"} and len(images) == 6  # large and small
    assert stored - images == {
        "config.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "figures/curves.png",
        "figures/surfaces.png",
        "figures/squared_residuals.png",
        "tables/elapsed.json",
        "tables/parameters.json",
    }


def test_mnist_run_holds_everything(command, client, digits, tmp_path):
    run = command.run("mnist_cnn", "--data.directory", str(digits), "--trainer.max_epochs", "2")
    assert {"figures/loss.png", "figures/accuracy.png", "figures/confusion_matrix.png"} <= artifacts(
        client, run.info.run_id
    )
    assert {"figures/worst_mistakes.png", "figures/filters.png"} <= artifacts(client, run.info.run_id)
    table = json.loads(read_artifact(client, run.info.run_id, "tables/parameters.json", tmp_path))
    assert [row[2] for row in table["data"]] == [320, 18496, 16010, 34826]
    for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, name)] == [0, 1]
    assert 0 <= run.data.metrics["test/accuracy"] <= 1


def test_mnist_learns(command, digits):
    words = ["--data.directory", str(digits), "--data.batch_size", "20", "--trainer.max_epochs", "3"]
    assert command.run("mnist_cnn", *words).data.metrics["test/accuracy"] > 0.9


def test_config_yaml_reproduces_the_run(command, client, tmp_path):
    first = command.run(*QUICK, "--model.optimizer", "SGD", "--model.optimizer.lr", "0.2", "--seed_everything", "7")
    read_artifact(client, first.info.run_id, "config.yaml", tmp_path)
    second = command.run("surface", "--config", str(tmp_path / "config.yaml"))
    assert second.data.params == first.data.params
    assert second.data.metrics["test/mse"] == first.data.metrics["test/mse"]


def test_seed_decides_the_result(command):
    results = [command.run(*QUICK, "--seed_everything", seed).data.metrics["test/mse"] for seed in "001"]
    assert results[0] == results[1] != results[2]


def test_files_and_options_in_any_order(command, tmp_path):
    (tmp_path / "extra.yaml").write_text("model: {hidden: 7}\ndata: {noise: 0.5}\n")
    file = ["--config", str(tmp_path / "extra.yaml")]
    runs = [
        command.run(*QUICK, *file, "--model.hidden", "8"),
        command.run(*QUICK, "--model.hidden", "8", *file),
    ]
    assert [(run.data.params["model.hidden"], run.data.params["data.noise"]) for run in runs] == [("8", "0.5")] * 2


@pytest.mark.parametrize(
    ("words", "lr"),
    [
        (["--model.optimizer", "Adadelta"], "1.0"),
        (["--model.optimizer", "torch.optim.Adadelta"], "1.0"),
        (["--model.optimizer", "LBFGS", "--model.optimizer.line_search_fn", "strong_wolfe"], "1"),
        (["--model.optimizer.lr", "0.5", "--model.optimizer", "SGD"], "0.5"),
        (["--model.optimizer=SGD", "--model.optimizer.lr=0.5"], "0.5"),
        (["--model.optimizer", "Adam"], "0.001"),
    ],
)
def test_an_optimizer_comes_with_its_own_arguments(words, lr, command):
    run = command.run(*QUICK, *words)
    assert float(run.data.params["model.optimizer.lr"]) == float(lr)


def test_print_config_is_a_config(command, tmp_path):
    code, out, _ = command("surface", "--print_config", "--model.hidden", "9")
    assert code == 0
    assert yaml.safe_load(out)["model"]["init_args"]["hidden"] == 9
    (tmp_path / "printed.yaml").write_text(out)
    run = command.run("surface", "--config", str(tmp_path / "printed.yaml"), "--trainer.max_epochs", "1")
    assert run.data.params["model.hidden"] == "9"


def test_help_of_an_exercise_names_its_settings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = command("surface", "--help")
    assert code == 0
    for setting in ("--model.hidden 50", "--data.noise", "--trainer.max_epochs", "--model.optimizer.lr"):
        assert setting in out
    assert "units in each hidden layer" in out and "lit_anndl.fit surface --help=all" in out
    assert "val_check_interval" not in out and len(out.splitlines()) < 90


def test_help_on_everything(command):
    code, out, _ = command("surface", "--help=all")
    assert code == 0
    for setting in ("hidden", "noise", "--trainer.val_check_interval", "--checkpoint.every_n_epochs"):
        assert setting in out


def test_the_configuration_of_another_exercise(command, tmp_path):
    _, out, _ = command("surface", "--print_config")
    (tmp_path / "surface.yaml").write_text(out)
    code, _, err = command("mnist_cnn", "--config", str(tmp_path / "surface.yaml"))
    assert code == 2 and "expected mnist_cnn's own" in err and err.count("\n") == 1


def test_a_metric_that_is_not_logged(command):
    code, _, err = command(*QUICK, "--checkpoint.monitor", "train/mae")
    assert code == 2 and "expected one of train/mse" in err and err.count("\n") == 1


def test_a_part_of_the_test_set(command):
    assert command.run(*QUICK, "--trainer.limit_test_batches", "0.5").info.status == "FINISHED"


def test_without_tracking_nothing_is_recorded(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = len(command.runs())
    code, out, _ = command(*QUICK, "--trainer.logger", "false")
    assert code == 0 and "test/mse" in out
    assert len(command.runs()) == before
    assert list(tmp_path.iterdir()) == []


def test_experiment_name_from_the_environment(command, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "homework")
    run = command.run(*QUICK)
    assert client.get_experiment(run.info.experiment_id).name == "homework"


def test_real_digits(command):
    words = ["--data.train_size", "1000", "--data.test_size", "500", "--trainer.max_epochs", "2"]
    assert command.run("mnist_cnn", *words).data.metrics["test/accuracy"] > 0.6
