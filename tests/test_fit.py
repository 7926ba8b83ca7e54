"""The command `fit`, as its users type it: what a run holds, and what decides its result."""

import inspect
import json
import subprocess
from pathlib import Path

import pytest

from lit_anndl.config import presets
from tests.support.processes import FIT
from tests.support.recorded import artifacts, printed_metrics, read_artifact

QUICK = ["surface", "--trainer.max_epochs", "3"]
CHEAPER = {
    "quality_samples": "50",
    "compared_samples": "10",
    "ais_temperatures": "145",
    "sampling_chains": "20",
    "inpainting_images": "20",
    "nll_images": "20",
    "tsne_images": "100",
}
"""Settings of what would take longer than a training step does."""


@pytest.mark.parametrize("name", presets.names())
def test_every_exercise_runs(name, command):
    settings = inspect.signature(presets.model_class(name)).parameters
    cheaper = [f"--model.{key}={value}" for key, value in CHEAPER.items() if key in settings]
    if "MNISTData" in presets.preset(name).read_text(encoding="utf-8"):
        cheaper += ["--data.train_size", "4000", "--data.test_size", "200"]
    run = command.run(name, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", *cheaper)
    assert run.info.status == "FINISHED"
    assert {"parameters", "seconds/fit", "seconds/epoch", "seconds/first_step"} <= run.data.metrics.keys()
    assert any(metric.startswith("test/") for metric in run.data.metrics)


def test_a_process_leaves_a_clean_terminal(tmp_path):
    done = subprocess.run([*FIT, *QUICK], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""
    assert list(printed_metrics(done.stdout))[:2] == ["test/mse", "train/mse"]
    assert "seconds/fit" in done.stdout and " s\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


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
