"""What a run leaves to look at: learning curves and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

History = Mapping[str, Sequence[tuple[int, float]]]
"""For each logged metric its (epoch, value) pairs."""

Table = Mapping[str, list[Any]]
"""Columns of equal length by heading, in order."""

ELAPSED = "elapsed"
"""The name of the table of seconds by epoch."""

SHARED_BY = "seconds_shared_by"
"""The metric that says of how many runs together a run's seconds are a share."""
