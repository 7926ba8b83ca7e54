"""A part of benchmark.py on one device, a GPU or the CPU: a fit, a study, workers that share it, a population."""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from benchmark_supervised import search_round
from benchmark_sweep import EPOCHS_PER_SECOND, throughput
from contenders import ours
from lightning.pytorch import Callback, LightningModule, Trainer
from side_by_side import print_heading, print_row

from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.local import launch
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition

_ACCURACY = 0.99
_PUBLISHED = "published: 0.76 s, until 99 % of the test images are (tuomaso/train_mnist_fast, GeForce GTX 1660 Ti)"


@dataclass(frozen=True)
class Budget:
    """How much is done; a test does less.

    Args:
        digits: options of mnist_cnn beside its preset.
        digit_epochs: in which it has to get as far as is wanted.
        study: the study of five optimizers, with and without noise.
        study_epochs: of each of its runs.
        workers: numbers of workers that are compared.
        trials: of their study.
        trial_epochs: of each of these.
        networks: that are one population.
        in_turn: how many of them are trained one after the other as well.
        network_epochs: of each.
    """

    digits: Sequence[str] = ()
    digit_epochs: int = 15
    study: Path = Path(__file__).parents[1] / "sweeps" / "optimizers.yaml"
    study_epochs: int = 250
    workers: Sequence[int] = (1, 2)
    trials: int = 24
    trial_epochs: int = EPOCHS_PER_SECOND
    networks: int = 256
    in_turn: int = 8
    network_epochs: int = 200


_WHOLE = Budget()


def take_gpu() -> bool:
    """Leaves the first GPU alone visible to this process and the workers that it starts; whether there is one.

    It has to come before torch looks for GPUs.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    return torch.cuda.is_available()


def device(rounds: int, _: Path, accelerator: str, budget: Budget = _WHOLE) -> None:
    """Everything on one GPU, or on the CPU; what takes minutes is measured once, however many the rounds."""
    print(f"device: {torch.cuda.get_device_name() if accelerator == 'cuda' else accelerator}")
    words = ["--trainer.accelerator", accelerator, "--trainer.devices", "1"]
    ours("surface", 1, *words)  # it takes a while until a GPU does its first step
    _digits(rounds, [*words, *budget.digits], budget)
    _study(accelerator, budget)
    throughput(budget.trials, budget.workers, budget.trial_epochs, accelerator)
    _population(words, budget)


def _digits(rounds: int, words: Sequence[str], budget: Budget) -> None:
    """Seconds of a fit of mnist_cnn with everything on until 99 % of the validation images are right."""
    wanted = f"{100 * _ACCURACY:g} % of the validation images are right"
    found = [_digits_round(words, budget.digit_epochs) for _ in range(rounds)]
    if late := found.count(None):
        print(f"mnist_cnn: {late} of {rounds} fits take more than {budget.digit_epochs} epochs until {wanted}")
        return
    seconds, epochs = (median(column) for column in zip(*filter(None, found), strict=True))
    print(f"mnist_cnn: {seconds:.2f} s, {epochs:g} epochs, until {wanted}; {_PUBLISHED}", flush=True)


def _digits_round(words: Sequence[str], most_epochs: int) -> tuple[float, int] | None:
    """Seconds and epochs, once; None if these epochs do not suffice."""
    goal = _Goal()
    seconds = ours("mnist_cnn", most_epochs, *words, callbacks=[goal])
    return (most_epochs * seconds, goal.epochs) if goal.epochs else None  # `ours` divides by the epochs asked for


class _Goal(Callback):
    """Ends training once so many of the validation images are right.

    Attributes:
        epochs: after how many epochs that was.
    """

    def __init__(self) -> None:
        self.epochs = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the accuracy."""
        if trainer.callback_metrics["val/accuracy"] >= _ACCURACY:
            self.epochs, trainer.should_stop = trainer.current_epoch + 1, True


def _study(accelerator: str, budget: Budget) -> None:
    """Seconds of the study of five optimizers by one worker, figures, tests and tables included."""
    definition = read_definition(budget.study)
    overrides = {**definition.fixed, "trainer.max_epochs": budget.study_epochs, "trainer.accelerator": accelerator}
    with tempfile.TemporaryDirectory() as folder:
        opened = begin(replace(definition, overrides=overrides), StudyDatabase(f"sqlite:///{folder}/optuna.db"))
        start = time.perf_counter()
        launch(opened)
        seconds = time.perf_counter() - start
        done = opened.counts()["COMPLETE"]
    size = f"{done} of {len(definition.rows)} rows complete, {len(definition.seeds)} seeds each"
    epochs = f"{budget.study_epochs} epochs of the study's {definition.fixed['trainer.max_epochs']}"
    print(f"study {definition.name}: {seconds:.1f} s; {size}, {epochs}", flush=True)


def _population(words: Sequence[str], budget: Budget) -> None:
    """Small networks that differ in their learning rates, as the trials of a search, in batches of 40."""
    print_heading(f"{budget.networks} rates of surface, ms", names := ("ours", "in turn"))
    size = {"trials": budget.networks, "in_turn": budget.in_turn, "epochs": budget.network_epochs}
    words = [*words, "--trainer.enable_progress_bar", "false"]  # as in a study
    print_row("optim2", names, [search_round("optim2", *words, **size)])
