"""What the command `fit` refuses: in one line, and before a run is recorded."""

import subprocess

import pytest

from tests.support.processes import FIT


def test_mistyped_exercise_as_a_process():
    done = subprocess.run([*FIT, "surfaec"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "fit: there is no exercise surfaec; did you mean surface?\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hiden", "3"], "model.hiden: there is no such setting; did you mean model.hidden?"),
        (["--trainer.max_epoch", "3"], "trainer.max_epoch: there is no such setting; did you mean trainer.max_epochs?"),
        (["--dta.noise", "3"], "dta.noise: there is no such setting; did you mean data.noise?"),
        (["--model.hidden", "many"], "model.hidden: many was given, expected a whole number > 0"),
        (["--data.noise", "-0.1"], "data.noise: -0.1 was given, expected a number ≥ 0"),
        (["--data.noise", "inf"], "data.noise: inf was given, expected finite numbers"),
        (["--model.l2", "inf"], "model.l2: inf was given, expected finite numbers"),
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
    command.refuses("surface", *words, says=message)


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
    command.refuses("surface", "--config", str(tmp_path / "extra.yaml"), says=message)


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
    command.refuses("surface", says=str(tmp_path))


def test_the_configuration_of_another_exercise(command, tmp_path):
    _, out, _ = command("surface", "--print_config")
    (tmp_path / "surface.yaml").write_text(out)
    command.refuses("mnist_cnn", "--config", str(tmp_path / "surface.yaml"), says="expected mnist_cnn's own")


def test_a_metric_that_is_not_logged(command):
    command.refuses("surface", "--checkpoint.monitor", "train/mae", says="expected one of train/mse")
