import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from lit_anndl import load
from lit_anndl.callbacks.weight_averaging import WeightAveraging
from lit_anndl.data.surface import SurfaceData
from tests.support.processes import checkpoint

SURFACE = ("surface", "--data.grid_size", "10", "--data.batch_size", "20", "--data.validation_size", "20")
AVERAGED = ("--weight_averaging.decay", "0.8")


def state(path):
    return torch.load(path, weights_only=True)


def last(run):
    return checkpoint(run).with_name("last.ckpt")


@pytest.fixture
def fit(command):
    return lambda *words: command.run(*SURFACE, *words)


@pytest.mark.parametrize("batch_size", ["20", "40", "100"])
def test_the_average_is_that_of_the_weights_after_each_lump_of_steps(batch_size, fit):
    """An epoch is one lump here."""
    words = ("--data.batch_size", batch_size, "--trainer.max_epochs")
    runs = [fit(*words, str(epochs)) for epochs in (1, 2, 3)]
    weights = [state(last(run))["state_dict"] for run in runs]
    found = state(last(fit(*words, "3", *AVERAGED)))
    decay = 0.8 ** state(last(runs[0]))["global_step"]
    for name, current in found["current_model_state"].items():
        assert torch.equal(current, weights[2][name])  # training is as it would be without
        first, second, third = (each[name] for each in weights)
        expected = decay * (decay * first + (1 - decay) * second) + (1 - decay) * third
        torch.testing.assert_close(found["state_dict"][name], expected)


@pytest.mark.parametrize("lump", [1, 3, 12])
def test_what_is_as_long_ago_weighs_the_same_in_lumps_of_any_size(lump):
    """Of a weight that is 1 at first and 0 from then on there remains dⁿ after n steps."""
    module, trainer = BoringModel(), Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    averaging = WeightAveraging(decay=0.9)
    averaging.setup(trainer, module, "fit")
    progress = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
    for step in range(0, 13, lump):
        for tensor in module.parameters():
            tensor.data.fill_(float(step == 0))
        progress.completed = 1 + step
        averaging.on_train_batch_end(trainer, module, None, None, 0)
    for tensor in averaging._average_model.module.parameters():
        torch.testing.assert_close(tensor.data, torch.full_like(tensor, 0.9**12))


def test_the_average_is_validated_tested_and_loaded(fit):
    run = fit("--trainer.max_epochs", "5", *AVERAGED)
    found = state(last(run))
    module = load(run.info.run_id)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, found["state_dict"][name])
    plain = fit("--trainer.max_epochs", "5")
    for metric in ("val/mse", "test/mse"):
        assert run.data.metrics[metric] != plain.data.metrics[metric]
    assert run.data.metrics["train/mse"] == plain.data.metrics["train/mse"]


def test_the_average_is_in_the_precision_of_the_weights(fit):
    words = ("--trainer.max_epochs", "3", "--trainer.precision", "64-true")
    plain, averaged = (state(last(fit(*words, *own))) for own in ((), AVERAGED))
    for name, trained in plain["state_dict"].items():
        assert trained.dtype == averaged["state_dict"][name].dtype == torch.float64
        assert torch.equal(averaged["current_model_state"][name], trained)  # each validation gives back what it took
        assert not torch.equal(averaged["state_dict"][name], averaged["state_dict"][name].float().double())


STOPPING = ("--early_stopping.patience", "50", "--checkpoint.monitor", "val/mse")


@pytest.mark.parametrize("options", [(), STOPPING, ("--trainer.precision", "64-true")])
def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(options, fit, command):
    whole = fit("--trainer.max_epochs", "6", *AVERAGED, *options)
    part = fit("--trainer.max_epochs", "3", *AVERAGED, *options)
    again = command.run("surface", "--resume", part.info.run_id, "--trainer.max_epochs", "6")
    one, other = state(last(whole)), state(last(again))
    for kind in ("state_dict", "current_model_state"):
        for name, tensor in one[kind].items():
            assert torch.equal(tensor, other[kind][name])
    for metric in ("train/mse", "val/mse", "test/mse"):
        assert whole.data.metrics[metric] == again.data.metrics[metric]


def test_early_stopping_keeps_the_averaged_weights_that_were_best(fit, client):
    words = ("--model.optimizer.lr", "0.05", "--trainer.max_epochs", "60", "--early_stopping.patience", "3")
    words += ("--checkpoint.monitor", "val/mse")
    run = fit(*words, *AVERAGED)
    history = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "val/mse")}
    assert run.data.metrics["best/val/mse"] == min(history.values())
    module = load(run.info.run_id)
    data = SurfaceData(grid_size=10, validation_size=20, seed=0)
    data.setup("fit")
    assert module.error(data.validation) == pytest.approx(run.data.metrics["best/val/mse"], rel=1e-5)
    kept = next(each for each in state(last(run))["callbacks"].values() if each.get("best_weights"))["best_weights"]
    assert all(torch.equal(tensor, kept[name]) for name, tensor in module.state_dict().items())


def test_early_stopping_looks_at_what_is_averaged(command):
    words = ("--checkpoint.monitor", "train/mse", "--early_stopping.patience", "3")
    code, _, err = command(*SURFACE, *AVERAGED, *words)
    assert code == 2 and "checkpoint.monitor train/mse: expected a metric of val/" in err and err.count("\n") == 1


@pytest.mark.parametrize("decay", ["1.5", "1", "0"])  # with 1 the average would stay where it began
def test_decay_lies_between_0_and_1(decay, command):
    code, _, err = command(*SURFACE, "--weight_averaging.decay", decay)
    assert code == 2 and f"weight_averaging.decay: {decay} was given, expected a number between 0 and 1" in err
