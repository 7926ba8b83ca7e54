"""Runs of two processes, watched by a callback of theirs."""

from pathlib import Path

import torch
from mlflow import MlflowClient

from tests.support.interrupted import run_id_in
from tests.support.processes import finish, runs

ON_CPU = ["--trainer.accelerator", "cpu"]
TWO = [*ON_CPU, "--trainer.devices", "2"]
WITNESS = """
import os, signal, time
from pathlib import Path
import torch
from lightning.pytorch import Callback

FOLDER = Path(os.environ["WITNESS"])

def once(name):
    wanted, done = FOLDER / name, FOLDER / f"{name}.done"
    return wanted.exists() and not done.exists() and not done.touch()

class Witness(Callback):
    "Keeps what each rank starts with and ends with; makes a rank fail or wait as it is told."

    def on_train_start(self, trainer, module):
        torch.save(torch.get_rng_state(), FOLDER / f"stream.{trainer.global_rank}")

    def on_train_epoch_start(self, trainer, module):
        if trainer.global_rank == 1 and trainer.current_epoch == 6:
            if once("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if once("fail"):
                raise RuntimeError("a cable was pulled")

    def on_test_batch_start(self, trainer, *_):
        if trainer.global_rank == 1 and once("stop"):
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(600)

    def on_train_end(self, trainer, module):
        torch.save(module.state_dict(), FOLDER / f"weights.{trainer.global_rank}")
"""
DROPOUT = [
    *("surface", "--data.grid_size", "10", "--data.batch_size", "10", "--model.hidden", "8", *TWO),
    *("--model.dropout", "0.3", "--model.jitter", "0.1", "--model.batch_norm", "true"),
    *("--data.validation_size", "20", "--checkpoint.monitor", "val/mse", "--early_stopping.patience", "10"),
    *("--trainer.max_epochs", "10", "--checkpoint.every_n_epochs", "4"),
]


def watched(words: list[str], folder: Path, store: str) -> tuple[int, str, str]:
    """What a command with the callback returns and prints."""
    command = [words[0], "--config", str(folder / "witness.yaml"), *words[1:]]
    return finish(*command, store=store, WITNESS=str(folder), PYTHONPATH=str(folder))


def by_rank(folder: Path, name: str) -> list:
    return [torch.load(folder / f"{name}.{rank}", weights_only=True) for rank in (0, 1)]


def newest(client: MlflowClient, out: str) -> str:
    """The id of the run that a command has printed, which is the newest one."""
    run_id = run_id_in(out)
    assert runs(client)[0].info.run_id == run_id  # there is one run, not one for each process
    return run_id
