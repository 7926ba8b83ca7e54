"""Runs in phases, interrupted in each epoch."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from mlflow.entities import Run

from lit_anndl.modules.exercise import Exercise
from tests.support.processes import assert_equal_runs


def resumed_after_each_epoch(
    exercise: type[Exercise[Any]], words: list[str], epochs: int, command: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Run, Run]]:
    """A run interrupted in each of its epochs and gone on with, beside the whole one, which it equals; for each."""
    whole = command.run(*words)
    begin = exercise.on_train_epoch_start
    for last in range(epochs):

        def interrupted(self: Exercise[Any], last: int = last) -> None:
            if self.current_epoch == last:
                signal.raise_signal(signal.SIGTERM)  # waits for the epoch's end
            begin(self)

        with monkeypatch.context() as patch:
            patch.setattr(exercise, "on_train_epoch_start", interrupted)
            code, _, err = command(*words)
        assert code == 143
        resumed = command.run(words[0], "--resume", err.split()[-1])
        assert_equal_runs(command.client, resumed.info.run_id, whole.info.run_id)
        yield resumed, whole
