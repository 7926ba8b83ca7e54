"""The exercises on the Santa Fe laser, through the command."""

import signal

import numpy as np
import pytest
import torch

from lit_anndl.exercises.recurrent.santafe import SantaFe
from tests.support.processes import checkpoint, training_history
from tests.support.recorded import artifacts, printed_metrics, table

FEW = ["--data.train_size", "200", "--data.lag", "10", "--data.validation_size", "20", "--data.folds", "2"]
MLP = ["santafe_mlp", *FEW, "--trainer.max_epochs", "4", "--model.hidden", "8"]
LSTM = ["santafe_lstm", *FEW, "--trainer.max_epochs", "2", "--model.hidden", "4"]


@pytest.mark.parametrize("words", [MLP, LSTM])
def test_learns_and_tells_of_each_fold(words, command):
    run = command.run(*words)
    history = training_history(command.client, run.info.run_id)
    losses = [value for _, value in history["train/mse"]]
    assert losses[-1] < losses[0]
    metrics = run.data.metrics
    folds = [metrics[f"val/mse_{number}"] for number in (1, 2)]
    assert metrics["val/mse"] == pytest.approx(np.mean(folds), rel=1e-5)
    assert "val/mse_3" not in metrics
    names = {f"figures/{name}.png" for name in ("curves", "forecast")}
    assert artifacts(command.client, run.info.run_id, "figures") == names


def test_errors_are_those_of_the_forecast(command, tmp_path):
    run = command.run(*MLP, "--data.origins", "3", "--model.members", "2")
    lines = table(command.client, run, "forecast", tmp_path)
    true, forecast = (np.array([line[name] for line in lines]) for name in ("true", "forecast"))
    metrics = run.data.metrics
    assert metrics["test/mse"] == pytest.approx(np.mean((true - forecast) ** 2), rel=1e-5)
    assert metrics["test/nmse"] == pytest.approx(metrics["test/mse"] / true.var(), rel=1e-5)
    assert all(line["lowest member"] <= line["forecast"] <= line["highest member"] for line in lines)
    nmse = [line["nmse"] for line in table(command.client, run, "origins", tmp_path)]
    assert nmse[0] == pytest.approx(metrics["test/nmse"], rel=1e-5) and len(nmse) == 3
    assert metrics["test/nmse_median"] == pytest.approx(np.median(nmse), rel=1e-5)
    assert metrics["test/nmse_lower"] <= metrics["test/nmse_median"] <= metrics["test/nmse_upper"]


@pytest.mark.parametrize("words", [MLP, LSTM])
def test_a_run_that_goes_on_is_the_one_that_was_not_interrupted(words, command):
    words = [*words, "--model.jitter", "0.1", "--model.members", "2", "--model.anneal", "false"]
    whole = command.run(*words, "--trainer.max_epochs", "4")
    begun = command.run(*words, "--trainer.max_epochs", "2")
    exercise, run_id = words[0], begun.info.run_id
    grown = command.run(exercise, "--resume", run_id, "--trainer.max_epochs", "4")
    ours, theirs = (torch.load(checkpoint(run), weights_only=True)["state_dict"] for run in (grown, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert grown.data.metrics["test/nmse"] == whole.data.metrics["test/nmse"]


def test_an_interrupted_run_goes_on_with_the_rate_it_had(command, monkeypatch):
    words = ["santafe", *FEW, "--model.hidden", "8", "--model.members", "1", "--trainer.max_epochs", "4"]
    whole = command.run(*words)
    begin = SantaFe.on_train_epoch_start

    def interrupted(self):
        if self.current_epoch == 2:
            signal.raise_signal(signal.SIGTERM)
        begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(SantaFe, "on_train_epoch_start", interrupted)
        code, _, err = command(*words)
    assert code == 143
    resumed = command.run("santafe", "--resume", err.split()[-1])
    ours, theirs = (torch.load(checkpoint(run), weights_only=True)["state_dict"] for run in (resumed, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    code, _, err = command("santafe", "--resume", resumed.info.run_id, "--trainer.max_epochs", "6")
    assert code == 2
    assert "trainer.max_epochs: a resumed run keeps its 4, 6 was given; with model.anneal" in err


def test_more_origins_do_not_change_the_forecast_from_the_first(command):
    words = ["santafe_baseline", "--data.train_size", "300", "--data.lag", "10"]
    one, three = (command.run(*words, "--data.origins", number) for number in ("1", "3"))
    assert one.data.metrics["test/nmse"] == three.data.metrics["test/nmse"]


def test_early_stopping_reports_the_folds_of_the_tested_weights(command):
    words = ["--trainer.max_epochs", "60", "--model.optimizer.lr", "0.3", "--early_stopping.patience", "3"]
    code, out, err = command(*MLP, *words)
    assert code == 0, err
    printed = printed_metrics(out)
    assert printed["val/mse"] == pytest.approx((printed["val/mse_1"] + printed["val/mse_2"]) / 2, rel=1e-4)
    run_id = next(line.split()[1] for line in out.splitlines() if line.startswith("run "))
    curve = training_history(command.client, run_id)["val/log_mse"]
    assert printed["val/log_mse"] == pytest.approx(min(value for _, value in curve), rel=1e-4)


def test_the_learning_rate_falls_along_a_cosine(command):
    words = ["santafe", *FEW, "--model.hidden", "8", "--trainer.max_epochs", "30", "--model.members", "1"]
    curve = training_history(command.client, command.run(*words, "--model.jitter", "0").info.run_id)["train/mse"]
    changes = np.abs(np.diff([value for _, value in curve]))
    assert changes[-1] < 0.05 * changes[:5].mean()


@pytest.mark.parametrize("method", ["mean", "linear", "kernel_ridge", "echo_state"])
def test_baselines(method, command):
    words = ["--data.train_size", "400", "--data.folds", "2", "--data.validation_size", "50", "--model.units", "50"]
    metrics = command.run("santafe_baseline", "--model.method", method, *words).data.metrics
    if method == "mean":
        assert 1 <= metrics["test/nmse"] < 1.5
    else:
        assert metrics["train/mse"] < 0.5 and metrics["val/mse"] < 0.5


def test_kernel_ridge(command):
    """NMSE 0.0281 on the competition's continuation."""
    assert command.run("santafe_baseline").data.metrics["test/nmse"] == pytest.approx(0.0281, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["santafe_mlp", "--data.lag", "1200"], "data.lag 1200 leaves 0 windows of the 1000 values"),
        (["santafe_mlp", "--data.validation_size", "400"], "at most data.validation_size 179 or data.folds 2"),
        (["santafe_mlp", "--data.validation_size", "1"], "data.validation_size 1 was given, expected 2 or more"),
        (["santafe_mlp", "--data.folds", "1", "--data.validation_size", "950"], "at most data.validation_size 899"),
        (
            ["santafe_baseline", "--model.method", "echo_state", "--data.train_size", "90"],
            "has 90 values to learn from",
        ),
        (["santafe_baseline", "--model.method", "echo_state", "--model.leak", "5"], "model.leak 5 was given"),
        (
            ["santafe_baseline", "--data.horizon", "2", "--data.origins", "15"],
            "data.horizon 2 was given, expected more: the values from 1028 on are all alike",
        ),
        (["santafe_mlp", "--data.origins", "100"], "data.origins 100 was given, expected 90 at most"),
        (["santafe_mlp", "--data.folds", "0"], "checkpoint.monitor val/log_mse needs validation data"),
        (["santafe_lstm", "--data.shuffle", "true"], "data.shuffle true was given, expected false"),
        (["santafe_lstm", "--data.steps_ahead", "2"], "data.steps_ahead 2 was given, expected 1"),
        (["santafe_lstm", "--data.folding", "blocks"], "data.folding blocks was given, expected expanding"),
        (
            ["santafe_baseline", "--model.method", "echo_state", "--data.folds", "2", "--data.folding", "blocks"],
            "data.folding blocks was given, expected expanding",
        ),
    ],
)
def test_wrong_settings(words, message, command):
    before = len(command.runs())
    command.refuses(*words, says=message)
    assert len(command.runs()) == before
