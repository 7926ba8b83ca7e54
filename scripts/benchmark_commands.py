"""Parts of benchmark.py on what comes beside the training: checkpoints, and the start of commands."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from lit_anndl.config.configuration import parse
from lit_anndl.runs.run import begin, compose


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
