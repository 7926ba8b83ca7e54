"""What a sweep costs beside the training: python scripts/benchmark_sweep.py [--trials 24] [--seconds 5].

throughput  trials per minute of a small study, with 1, 2 and 4 local workers, from the first trial's start to the last
            one's end; and the seconds from the command to a worker's first trial.
overhead    the share of a trial of so many seconds of training that is not training, in a warm worker: parsing,
            building, data, tracking, storage, the test, figures.

Every study is a process of its own with an SQLite storage and an SQLite tracking store. Nothing is asserted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import optuna
import yaml

from lit_anndl.studies.storage import Storage

EPOCHS_PER_SECOND = 110
"""Roughly, of the small study's net on one thread; what is reported is measured."""


def run_study(folder: Path, *, trials: int, epochs: int, workers: int) -> tuple[optuna.Study, float]:
    """A study of equal trials, and when its command was started."""
    study = {
        "exercise": "surface",
        "overrides": {"model.optimizer": "SGD", "data.batch_size": 40, "trainer.max_epochs": epochs},
        "metric": "train/mse",
        "sampler": "random",
        "trials": trials,
        "workers": workers,
        "space": {"model.optimizer.lr": {"float": [0.05, 0.1]}},
    }
    file = folder / f"workers_{workers}.yaml"
    file.write_text(yaml.safe_dump(study))
    address = f"sqlite:///{folder / f'{workers}.db'}"
    stores = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / f'mlflow_{workers}.db'}", "LIT_ANNDL_STORAGE": address}
    started = time.time()
    command = [sys.executable, "-m", "lit_anndl.sweep", str(file)]
    subprocess.run(command, env={**os.environ, **stores}, check=True, stdout=subprocess.DEVNULL)
    return optuna.load_study(study_name=file.stem, storage=Storage(address).connect()), started


def throughput(trials: int) -> None:
    """Prints trials per minute by workers."""
    print(f"{'workers':>8}{'trials/min':>12}{'to first trial [s]':>20}{'to all workers [s]':>20}")
    for workers in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            study, started = run_study(Path(folder), trials=trials, epochs=EPOCHS_PER_SECOND, workers=workers)
        begun = sorted(trial.datetime_start.timestamp() for trial in study.trials if trial.datetime_start)
        ended = max(trial.datetime_complete.timestamp() for trial in study.trials if trial.datetime_complete)
        per_minute = 60 * trials / (ended - begun[0])
        print(f"{workers:>8}{per_minute:>12.1f}{begun[0] - started:>20.1f}{begun[workers - 1] - started:>20.1f}")


def overhead(seconds: float) -> None:
    """Prints the share of a trial that is not training."""
    trials = 5
    with tempfile.TemporaryDirectory() as folder:
        study, _ = run_study(Path(folder), trials=trials, epochs=round(seconds * EPOCHS_PER_SECOND), workers=1)
    starts = [trial.datetime_start.timestamp() for trial in study.trials if trial.datetime_start]
    whole = [later - earlier for earlier, later in pairwise(starts[1:])]  # the first warms up
    fit = [trial.user_attrs["metrics"]["0"]["seconds/fit"] for trial in study.trials[1:-1]]
    shares = [1 - each / total for each, total in zip(fit, whole, strict=True)]
    print(f"trial {median(whole):.2f} s, of which training {median(fit):.2f} s: overhead {100 * median(shares):.1f} %")


def main() -> None:
    """Runs both measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    overhead(asked.seconds)
    throughput(asked.trials)


if __name__ == "__main__":
    main()
