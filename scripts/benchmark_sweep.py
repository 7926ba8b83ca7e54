"""What a sweep costs beside the training: python scripts/benchmark_sweep.py [--trials 24] [--seconds 5].

throughput  trials per minute of a small study, with 1, 2 and 4 local workers, from the first trial's start to the last
            one's end; and the seconds from the command to a worker's first trial.
overhead    the share of a trial of so many seconds of training that is not training, in a warm worker: parsing,
            building, data, tracking, storage, the test; and figures, which a run draws anyway.

Every study has an SQLite storage and an SQLite tracking store of its own. Nothing is asserted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import yaml

from lit_anndl.runs import run
from lit_anndl.runtime.terminal import quieten
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition
from lit_anndl.studies.worker import next_trials, run_trials

EPOCHS_PER_SECOND = 180
"""Roughly, of the small study's net on one thread; what is reported is measured."""


def study_file(folder: Path, *, trials: int, epochs: int, workers: int, accelerator: str = "auto") -> Path:
    """A study of equal trials, whose workers share a GPU where they have one."""
    study = {
        "exercise": "surface",
        "overrides": {
            "model.optimizer": "SGD",
            "data.batch_size": 40,
            "trainer.max_epochs": epochs,
            "trainer.accelerator": accelerator,
        },
        "metric": "train/mse",
        "sampler": "random",
        "trials": trials,
        "workers": workers,
        "workers_per_gpu": workers,
        "space": {"model.optimizer.lr": {"float": [0.05, 0.1]}},
    }
    file = folder / f"workers_{workers}.yaml"
    file.write_text(yaml.safe_dump(study))
    return file


def stores(folder: Path) -> dict[str, str]:
    """Fresh ones, by environment variable."""
    return {f"{name}": f"sqlite:///{folder / name}.db" for name in ("MLFLOW_TRACKING_URI", "LIT_ANNDL_STORAGE")}


def throughput(
    trials: int, counts: Sequence[int] = (1, 2, 4), epochs: int = EPOCHS_PER_SECOND, accelerator: str = "auto"
) -> None:
    """Prints trials per minute by workers."""
    print(f"{'workers':>8}{'trials/min':>12}{'to first trial [s]':>20}")
    for workers in counts:
        with tempfile.TemporaryDirectory() as folder:
            file = study_file(Path(folder), trials=trials, epochs=epochs, workers=workers, accelerator=accelerator)
            started = time.time()
            command = [sys.executable, "-m", "lit_anndl.sweep", str(file)]
            environment = {**os.environ, **stores(Path(folder))}
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            storage = StudyDatabase(environment["LIT_ANNDL_STORAGE"])
            study = optuna.load_study(study_name=file.stem, storage=storage.connect())
        begun = sorted(trial.datetime_start.timestamp() for trial in study.trials if trial.datetime_start)
        ended = max(trial.datetime_complete.timestamp() for trial in study.trials if trial.datetime_complete)
        per_minute = 60 * trials / (ended - begun[0])
        print(f"{workers:>8}{per_minute:>12.1f}{begun[0] - started:>20.1f}", flush=True)


def overhead(seconds: float) -> None:
    """Prints the share of a trial that is not training."""
    trials, figures = 6, 0.0
    record = run.record_results

    def timed_record(*arguments: Any) -> dict[str, float]:
        nonlocal figures
        start = time.perf_counter()
        metrics = record(*arguments)
        figures += time.perf_counter() - start
        return metrics

    run.record_results = timed_record
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(stores(Path(folder)))
        epochs = round(seconds * EPOCHS_PER_SECOND)
        opened = begin(
            read_definition(study_file(Path(folder), trials=trials, epochs=epochs, workers=1)), StudyDatabase()
        )
        for _ in range(trials):
            start, figures = time.perf_counter(), 0.0
            (trial,) = next_trials(opened)
            run_trials([trial], opened)
            whole = time.perf_counter() - start
            shares.append((whole, trial.user_attrs["metrics"]["0"]["seconds/fit"], figures))
    whole, fit, figures = (median(each) for each in zip(*shares[1:], strict=True))  # the first one warms up
    rest = whole - fit - figures
    print(f"a trial of {whole:.2f} s: training {fit:.2f}, figures {figures:.2f}, the rest {rest:.2f} s")
    print(f"overhead {100 * rest / whole:.1f} %, with figures {100 * (whole - fit) / whole:.1f} %")


def main() -> None:
    """Runs both measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    quieten()
    overhead(asked.seconds)
    throughput(asked.trials)


if __name__ == "__main__":
    main()
