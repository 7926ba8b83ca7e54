"""Early stopping, through the command."""

from pathlib import Path

import pytest
import torch

from lit_anndl.data.surface import SurfaceData
from lit_anndl.exercises.supervised.surface import Surface
from tests.support.processes import checkpoint, training_history
from tests.support.recorded import printed_metrics

STOPPING = [
    "surface",
    *("--data.grid_size", "12", "--data.validation_size", "40", "--data.batch_size", "16"),
    *("--model.hidden", "8", "--model.optimizer.lr", "0.03", "--trainer.max_epochs", "200"),
    *("--checkpoint.monitor", "val/mse", "--checkpoint.every_n_epochs", "1", "--early_stopping.patience", "6"),
]


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def errors(state: dict[str, torch.Tensor]) -> tuple[float, float]:
    """Validation and test error of weights."""
    data = SurfaceData(grid_size=12, validation_size=40, seed=0)
    data.setup("fit")
    module = Surface(torch.optim.Adam, hidden=8)
    module.load_state_dict(state)
    return module.error(data.validation), module.error(data.test)


def test_stops_after_patience_and_tests_the_best_weights(command):
    code, out, err = command(*STOPPING)
    assert code == 0, err
    printed = printed_metrics(out)
    run = command.runs()[0]
    validation = dict(training_history(command.client, run.info.run_id)["val/mse"])
    best = min(validation, key=validation.__getitem__)
    assert max(validation) == best + 6 < 199
    assert float(printed["val/mse"]) == pytest.approx(validation[best], rel=1e-4)
    assert run.data.metrics["best/epoch"] == best
    assert run.data.metrics["best/val/mse"] == validation[best]
    last = checkpoint(run)
    assert errors(weights(last.with_name("best.ckpt"))) == pytest.approx(
        (validation[best], run.data.metrics["test/mse"]), rel=1e-5
    )
    assert errors(weights(last))[0] == pytest.approx(validation[max(validation)], rel=1e-5)
    assert run.data.metrics["final/gap"] == pytest.approx(
        run.data.metrics["test/mse"] - run.data.metrics["final/mse"], rel=1e-4
    )


def test_metrics_of_training_are_looked_at_every_epoch(command):
    monitored = ["--checkpoint.monitor", "train/mse", "--trainer.check_val_every_n_epoch", "5"]
    monitored += ["--trainer.max_epochs", "13"]
    code, out, err = command(*STOPPING, *monitored)
    assert code == 0, err
    printed = printed_metrics(out)
    curve = [value for _, value in training_history(command.client, command.runs()[0].info.run_id)["train/mse"]]
    assert float(printed["train/mse"]) == pytest.approx(min(curve), rel=1e-4)


def test_no_stopping_unless_asked_for(command):
    run = command.run(*STOPPING[:-2], "--trainer.max_epochs", "30")
    assert len(training_history(command.client, run.info.run_id)["val/mse"]) == 30


def test_a_run_that_goes_on_waits_no_longer(command):
    whole = command.run(*STOPPING)
    part = command.run(*STOPPING, "--trainer.max_epochs", "10")
    again = command.run("surface", "--resume", part.info.run_id, "--trainer.max_epochs", "200")
    histories = [training_history(command.client, run.info.run_id) for run in (whole, again)]
    assert histories[0]["val/mse"] == histories[1]["val/mse"]
    assert whole.data.metrics["test/mse"] == again.data.metrics["test/mse"]
    assert len(histories[0]["val/mse"]) > 10


def test_a_stopped_run_trains_no_further(command):
    run = command.run(*STOPPING)
    again = command.run("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "300")
    assert (
        training_history(command.client, again.info.run_id)["val/mse"]
        == training_history(command.client, run.info.run_id)["val/mse"]
    )
    assert again.data.metrics["test/mse"] == run.data.metrics["test/mse"]


def test_patience_is_positive(command):
    command.refuses("surface", "--early_stopping.patience", "0", says="early_stopping.patience")
