"""Exercises on artificial neural networks and deep learning, reproducible by one command each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lit_anndl.modules.exercise import Exercise


def load(run_id: str) -> "Exercise":
    """The trained exercise of a run: `module.net(inputs)` predicts; see `lit_anndl.runs.trained.load`."""
    from lit_anndl.runs import trained  # torch is imported when there is work

    return trained.load(run_id)
