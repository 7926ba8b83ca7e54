"""Long runs of the command, to be interrupted."""

from pathlib import Path

from mlflow import MlflowClient

from tests.support.forked import ForkedCommand
from tests.support.processes import checkpoint, runs, start, wait_until

LONG = ["surface", "--model.optimizer", "SGD", "--data.batch_size", "40", "--trainer.max_epochs", "700"]


def run_id_in(out: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith("run ")]
    return line.split()[1]


def begin(store: str, client: MlflowClient, *words: str, **environment: str) -> tuple[ForkedCommand, str]:
    """A run that has written its first checkpoint, and its id."""
    before = {run.info.run_id for run in runs(client)} if Path(store.removeprefix("sqlite:///")).exists() else set()
    process = start(*words, store=store, **environment)
    found: list[str] = []

    def has_begun() -> bool:
        assert process.poll() is None, process.communicate()
        found[:] = [r.info.run_id for r in runs(client) if r.info.run_id not in before and checkpoint(r).exists()]
        return bool(found)

    wait_until(has_begun)
    return process, found[0]
