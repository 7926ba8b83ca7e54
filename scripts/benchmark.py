"""Ours against what a user would run instead: ratios, side by side in one process, medians over rounds.

    python scripts/benchmark.py [PART ...] [--rounds 5] [--root DIR]

Rounds interleave the contenders, so that a busy machine slows all of them. Nothing is asserted.

surface    seconds per epoch of the five optimizers of exercise 1.3: `ours` is a fit with everything on (tracking on
           SQLite with every metric sent, checkpoints, callbacks), `lean` a hand-written loop over tensors on one
           thread, `course` the course's loop over TensorDataset and DataLoader, `plain` a Lightning Trainer with
           that DataLoader.
mnist_cnn  seconds per epoch with validation: ours, a lean loop over tensors, and a plain Lightning Trainer over
           torchvision's MNIST with ToTensor.
hopfield   seconds for 20 iterations of 10 000 noisy digits in 784 units: one batched call, a NumPy loop over states.
santafe    seconds for the closed loops of 90 origins, 100 steps each: one batched rollout, a loop over origins.
checkpoint milliseconds that an epoch of mnist_cnn spends on its two checkpoints, to be set against its length.
startup    seconds of whole commands, as multiples of importing lightning.pytorch and mlflow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmark_recurrent import hopfield, santafe
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from lit_anndl.config.configuration import parse
from lit_anndl.data.digits.dataset_files import data_directory
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.surface import SurfaceData
from lit_anndl.nets.cnn import CNN
from lit_anndl.nets.cnn_architectures import VARIANTS
from lit_anndl.nets.mlp import MLP
from lit_anndl.runs.run import begin, compose
from lit_anndl.runtime.terminal import quieten

MakeOptimizer = Callable[..., Optimizer]
Loss = Callable[[Tensor, Tensor], Tensor]
Seconds = dict[str, list[float]]

LBFGS = {"lr": 1, "max_iter": 1, "max_eval": 26, "line_search_fn": "strong_wolfe"}
OPTIMIZERS: dict[str, tuple[type[Optimizer], dict[str, object], int]] = {
    "optim1": (torch.optim.SGD, {"lr": 0.05}, 1600),
    "optim2": (torch.optim.SGD, {"lr": 0.1}, 40),
    "optim3": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 400),
    "optim4": (torch.optim.Adam, {"lr": 1e-3}, 400),
    "optim5": (torch.optim.LBFGS, LBFGS, 1600),
}
FAST_EPOCHS, SLOW_EPOCHS = 1000, 50
ALL_THREADS = torch.get_num_threads()


def ours(exercise: str, epochs: int, *words: str) -> float:
    """Seconds per epoch of a fit with everything on, until its last metric is in the store."""
    configuration = parse(exercise, [*words, "--trainer.max_epochs", str(epochs)])
    torch.manual_seed(0)
    parts = compose(configuration, time.time(), [])
    assert parts.tracker is not None
    begin(parts, parts.tracker, configuration)
    start = time.perf_counter()
    parts.trainer.fit(parts.model, datamodule=parts.data)
    parts.tracker.deliver()
    seconds = (time.perf_counter() - start) / epochs
    parts.tracker.close("FINISHED")
    return seconds


def step(net: nn.Module, optimizer: Optimizer, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    """The hand-written step that all optimizers share."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(net(inputs), targets)
        value.backward()
        return value

    return optimizer.step(closure).detach()


def lean_epoch(net: nn.Module, optimizer: Optimizer, loss: Loss, data: Sequence[Tensor], batch_size: int) -> float:
    """An epoch over tensors in memory; returns its mean loss."""
    inputs, targets = data
    if batch_size >= len(inputs):
        return step(net, optimizer, loss, inputs, targets).item()
    batches = torch.randperm(len(inputs)).split(batch_size)
    return torch.stack([step(net, optimizer, loss, inputs[i], targets[i]) for i in batches]).mean().item()


def course_epoch(net: nn.Module, optimizer: Optimizer, loss: Loss, loader: DataLoader) -> float:
    """An epoch as in the course's notebook."""
    total = 0.0
    for inputs, targets in loader:
        total += step(net, optimizer, loss, inputs, targets).item()
    return total / len(loader)


def timed(epoch: Callable[[], object], epochs: int, threads: int) -> float:
    """Seconds per call, on so many threads."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    for _ in range(epochs):
        epoch()
    seconds = (time.perf_counter() - start) / epochs
    torch.set_num_threads(ALL_THREADS)
    return seconds


class Plain(LightningModule):
    """A LightningModule as in Lightning's introduction."""

    def __init__(self, net: nn.Module, loss: Loss, make_optimizer: Callable[..., Optimizer], accuracy: bool) -> None:
        super().__init__()
        self.net, self.loss, self.make_optimizer, self.accuracy = net, loss, make_optimizer, accuracy

    def configure_optimizers(self) -> Optimizer:
        """The optimizer."""
        return self.make_optimizer(self.parameters())

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """The training loss."""
        return self._shared("train", batch)

    def validation_step(self, batch: Sequence[Tensor], _: int) -> None:
        """The validation loss."""
        self._shared("val", batch)

    def _shared(self, stage: str, batch: Sequence[Tensor]) -> Tensor:
        inputs, targets = batch
        outputs = self.net(inputs)
        loss = self.loss(outputs, targets)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True)
        if self.accuracy:
            accuracy = (outputs.argmax(1) == targets).float().mean()
            self.log(f"{stage}/accuracy", accuracy, on_step=False, on_epoch=True)
        return loss


def plain(module: Plain, epochs: int, *loaders: DataLoader) -> float:
    """Seconds per epoch of a Lightning Trainer with its defaults, less what writes to the disk or the screen."""
    trainer = Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    trainer.fit(module, *loaders)
    return (time.perf_counter() - start) / epochs


def surface_round(name: str) -> dict[str, float]:
    """Seconds per epoch of each contender, once."""
    cls, arguments, batch_size = OPTIMIZERS[name]
    data = SurfaceData(seed=0)
    data.setup("fit")
    words = ["--model.optimizer", cls.__name__, "--data.batch_size", str(batch_size)]
    words += [w for key, value in arguments.items() for w in (f"--model.optimizer.{key}", str(value))]

    def make() -> tuple[MLP, Optimizer]:
        torch.manual_seed(0)
        net = MLP((2, 50, 50, 1))
        return net, cls(net.parameters(), **arguments)

    lean_net, lean_optimizer = make()
    course_net, course_optimizer = make()
    plain_net, _ = make()
    loader = DataLoader(TensorDataset(*data.train), batch_size=batch_size, shuffle=True)
    module = Plain(plain_net, mse_loss, lambda parameters: cls(parameters, **arguments), accuracy=False)
    return {
        "ours": ours("surface", FAST_EPOCHS, *words),
        "lean": timed(
            lambda: lean_epoch(lean_net, lean_optimizer, mse_loss, data.train, batch_size), FAST_EPOCHS, threads=1
        ),
        "course": timed(lambda: course_epoch(course_net, course_optimizer, mse_loss, loader), SLOW_EPOCHS, ALL_THREADS),
        "plain": plain(module, SLOW_EPOCHS, loader),
    }


def surface(rounds: int, _: Path) -> None:
    """The five optimizers, and their sum."""
    names = ("ours", "lean", "course", "plain")
    print_heading("surface, ms/epoch", names)
    measured = [{name: surface_round(name) for name in OPTIMIZERS} for _ in range(rounds)]
    for name in OPTIMIZERS:
        print_row(name, names, [one[name] for one in measured])
    sums = [{n: sum(one[name][n] for name in OPTIMIZERS) for n in names} for one in measured]
    print_row("all five", names, sums)


def mnist_round(root: Path) -> dict[str, float]:
    """Seconds per epoch with validation of each contender, once."""
    data = MNISTData()
    data.setup("fit")
    net = CNN(VARIANTS["keras"])
    optimizer = torch.optim.Adam(net.parameters())

    def lean() -> None:
        net.train()
        lean_epoch(net, optimizer, cross_entropy, data.train, data.batch_size)
        net.eval()
        with torch.inference_mode():
            for images, labels in zip(*(tensor.split(1000) for tensor in data.validation), strict=True):
                cross_entropy(net(images), labels).item()

    train, validation = random_split(MNIST(root, transform=ToTensor()), [54_000, 6_000])
    loaders = DataLoader(train, batch_size=128, shuffle=True), DataLoader(validation, batch_size=1000)
    module = Plain(contiguous(CNN(VARIANTS["keras"])), cross_entropy, torch.optim.Adam, accuracy=True)
    return {
        "ours": ours("mnist_cnn", 1),
        "lean": timed(lean, 1, ALL_THREADS),
        "plain": plain(module, 1, *loaders),
    }


def contiguous(net: nn.Module) -> nn.Module:
    """The net in torch's default memory format, as it is where nobody thinks of another."""
    return net.to(memory_format=torch.contiguous_format)


def mnist_cnn(rounds: int, root: Path) -> None:
    """An epoch of mnist_cnn."""
    names = ("ours", "lean", "plain")
    print_heading("mnist_cnn, ms/epoch", names)
    print_row("one epoch", names, [mnist_round(root) for _ in range(rounds)])


def checkpoint(rounds: int, _: Path) -> None:
    """What checkpointing costs per epoch of mnist_cnn: epochs of one batch, each saved as ever."""
    words = ["--data.train_size", "2000", "--trainer.limit_train_batches", "1", "--trainer.max_epochs", str(4 * rounds)]
    configuration = parse("mnist_cnn", words)
    parts = compose(configuration, time.time(), [])
    assert parts.tracker is not None and parts.trainer.checkpoint_callback is not None
    begin(parts, parts.tracker, configuration)
    save, seconds = parts.trainer.checkpoint_callback.on_train_epoch_end, []

    def timed_save(*arguments: Any) -> None:
        start = time.perf_counter()
        save(*arguments)
        seconds.append(time.perf_counter() - start)

    parts.trainer.checkpoint_callback.on_train_epoch_end = timed_save
    parts.trainer.fit(parts.model, datamodule=parts.data)
    parts.tracker.close("FINISHED")
    print(f"checkpoint {1e3 * median(seconds):8.1f} ms per epoch (largest {1e3 * max(seconds):.1f})")


def startup(rounds: int, _: Path) -> None:
    """Whole commands in fresh processes, each with a fresh store, beside the imports alone."""
    fit = [sys.executable, "-m", "lit_anndl.fit"]
    commands = {
        "imports": [sys.executable, "-c", "import lightning.pytorch, mlflow"],
        "first step": [*fit, "surface", "--trainer.max_epochs", "1"],
        "one epoch": [*fit, "surface", "--trainer.max_epochs", "1"],
        "--list": [*fit, "--list"],
        "mistyped": [*fit, "surfaec"],
    }
    measured = [{name: command_seconds(name, words) for name, words in commands.items()} for _ in range(rounds)]
    for name in commands:
        seconds = median(one[name] for one in measured)
        ratio = median(one[name] / one["imports"] for one in measured)
        print(f"{name:12} {seconds:6.2f} s   {ratio:5.2f} × imports")


def command_seconds(name: str, words: list[str]) -> float:
    """Wall time of a command; for "first step" what the command itself reports."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        start = time.perf_counter()
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if name == "first step":
        (seconds,) = (float(line.split()[1]) for line in done.stdout.splitlines() if "seconds/first_step" in line)
    return seconds


def print_heading(title: str, names: Sequence[str]) -> None:
    """The columns: milliseconds of each contender, then how many times ours each other takes."""
    others = [f"{name}/ours" for name in names[1:]]
    print(f"{title:20}" + "".join(f"{column:>14}" for column in [*names, "ours/lean", *others]))


def print_row(label: str, names: Sequence[str], rounds: Sequence[dict[str, float]]) -> None:
    """Medians over rounds, of the times and of the ratios within a round."""
    times = [f"{1e3 * median(one[name] for one in rounds):.2f}" for name in names]
    ratios = [f"{median(one['ours'] / one['lean'] for one in rounds):.3f}"]
    ratios += [f"{median(one[name] / one['ours'] for one in rounds):.2f}" for name in names[1:]]
    print(f"{label:20}" + "".join(f"{column:>14}" for column in times + ratios), flush=True)


def main() -> None:
    """Runs the parts asked for, by default all."""
    parts = {
        "surface": surface,
        "mnist_cnn": mnist_cnn,
        "hopfield": hopfield,
        "santafe": santafe,
        "checkpoint": checkpoint,
        "startup": startup,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="what to measure (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=data_directory(), help="folder of torchvision's MNIST")
    options = parser.parse_args()
    quieten()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        for name in options.parts or parts:
            parts[name](options.rounds, options.root)


if __name__ == "__main__":
    main()
