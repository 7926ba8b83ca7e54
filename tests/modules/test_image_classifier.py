from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

import lit_anndl.exercises
from lit_anndl.modules.image_classifier import ImageClassifier
from lit_anndl.modules.schedules import end_of_schedule
from tests.support.processes import checkpoint

CYCLE = ("--model.lr_scheduler", "OneCycleLR", "--model.lr_scheduler.max_lr", "0.01")
COSINE = ("--model.lr_scheduler", "CosineAnnealingLR", "--model.lr_scheduler.T_max", "3")


@pytest.fixture
def fit(digits):
    return ("mnist_cnn", "--data.directory", str(digits), "--data.train_size", "60", "--data.test_size", "50")


def rates(run) -> list[float]:
    """The learning rate that the last checkpoint would go on with."""
    state = torch.load(checkpoint(run).with_name("last.ckpt"), weights_only=True)
    return [group["lr"] for optimizer in state["optimizer_states"] for group in optimizer["param_groups"]]


def test_labels_are_smoothed_in_training_alone():
    module = ImageClassifier(torch.optim.SGD, nn.Flatten(), label_smoothing=0.3)
    logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    log_p = logits.log_softmax(dim=1)[0]
    expected = {True: -(0.7 * log_p[0] + 0.3 * log_p.mean()), False: -log_p[0]}
    for training, loss in expected.items():
        torch.testing.assert_close(module.train(training).measure(logits, (logits, labels))["loss"], loss)


def test_a_schedule_moves_the_rate_after_each_epoch(command, fit):
    words = ("--model.lr_scheduler", "ExponentialLR", "--model.lr_scheduler.gamma", "0.5", "--trainer.max_epochs", "2")
    assert rates(command.run(*fit, *words)) == [pytest.approx(0.001 * 0.25)]


def test_a_schedule_to_its_end_goes_on_where_it_was_interrupted(command, fit):
    whole = command.run(*fit, *COSINE, "--trainer.max_epochs", "3")
    assert rates(whole) == [pytest.approx(0, abs=1e-12)]
    refused = ("mnist_cnn", "--resume", whole.info.run_id, "--trainer.max_epochs", "4")
    code, _, err = command(*refused)
    assert code == 2 and "with model.lr_scheduler.T_max not even trainer.max_epochs may grow" in err


def test_epochs_are_those_of_the_schedule_or_fewer(command, fit):
    planned = command.run(*fit, *COSINE, "--trainer.max_epochs", "null")
    assert rates(planned) == [pytest.approx(0, abs=1e-12)]
    before = len(command.runs())
    code, _, err = command(*fit, *CYCLE, "--model.lr_scheduler.total_steps", "2", "--trainer.max_epochs", "3")
    assert code == 2
    assert err == "fit: trainer.max_epochs: 3 was given, expected 2 at most, as model.lr_scheduler.total_steps says\n"
    assert len(command.runs()) == before


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (("--model.lr_scheduler.total_steps", "2"), 2),
        (("--model.lr_scheduler.epochs", "2", "--model.lr_scheduler.steps_per_epoch", "1"), 2),
        (("--model.lr_scheduler.epochs", "1", "--model.lr_scheduler.steps_per_epoch", "3"), 3),
    ],
)
def test_one_cycle_ends_where_its_settings_say(words, end, command, fit):
    run = command.run(*fit, *CYCLE, *words, "--trainer.max_epochs", "null")
    assert torch.load(checkpoint(run).with_name("last.ckpt"), weights_only=True)["epoch"] == end - 1
    says = f"trainer.max_epochs: {end + 1} was given, expected {end} at most, as {words[0].removeprefix('--')} says"
    command.refuses(*fit, *CYCLE, *words, "--trainer.max_epochs", str(end + 1), says=says)


@pytest.mark.parametrize(
    "words",
    [
        ("ReduceLROnPlateau",),
        ("torch.optim.lr_scheduler.ReduceLROnPlateau",),
        ("lightning.pytorch.cli.ReduceLROnPlateau", "--model.lr_scheduler.monitor", "val/loss"),
    ],
)
def test_a_schedule_that_waits_for_a_metric_is_refused(words, command, fit):
    says = "model.lr_scheduler: ReduceLROnPlateau was given, expected a schedule without a metric"
    command.refuses(*fit, "--model.lr_scheduler", *words, says=says)


EXERCISES = Path(lit_anndl.exercises.__path__[0])


@pytest.mark.parametrize(
    "preset", [path.stem for path in sorted(EXERCISES.glob("*/*.yaml")) if "OneCycleLR" in path.read_text()]
)
def test_presets_train_to_the_end_of_their_schedule(preset, command):
    code, out, _ = command(preset, "--print_config")
    settings = yaml.safe_load(out)
    assert code == 0 and settings["trainer"]["max_epochs"] is None
    setting, end = end_of_schedule(settings["model"]["init_args"])
    assert setting == "model.lr_scheduler.total_steps" and end >= 10


def test_a_schedule_without_its_settings_is_refused(command, fit):
    before = len(command.runs())
    for name in ("ExponentialLR", "OneCycleLR"):
        code, _, err = command(*fit, "--model.lr_scheduler", name)
        assert code == 2 and err.count("\n") == 1, err
    assert len(command.runs()) == before
