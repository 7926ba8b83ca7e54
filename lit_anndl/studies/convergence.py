"""How long training takes to get somewhere: in epochs, and in seconds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lit_anndl.tracking.run_records import Record


@dataclass(frozen=True)
class Arrival:
    """When each seed's run stays below a threshold, infinite where it never does; NaN where seconds were not kept."""

    epochs: list[float]
    seconds: list[float]


def arrival(records: Sequence[Record], metric: str, threshold: float) -> Arrival:
    """The epochs and seconds after which a metric stays below a threshold to the end of training, for each run."""
    epochs = [epochs_until_below(record.history.get(metric, []), threshold) for record in records]
    return Arrival(epochs, [_seconds_after(count, record) for record, count in zip(records, epochs, strict=True)])


def _seconds_after(epochs: float, record: Record) -> float:
    """The seconds of fit after so many epochs."""
    if math.isinf(epochs):
        return math.inf
    return record.elapsed[int(epochs) - 1] if epochs <= len(record.elapsed) else math.nan


def epochs_until_below(curve: Sequence[tuple[int, float]], threshold: float) -> float:
    """The number of epochs after which all values are below a threshold; infinite if the last one is not."""
    reached = math.inf
    for epoch, value in reversed(curve):
        if not value < threshold:
            break
        reached = epoch + 1
    return reached


def ranks(values: Mapping[str, Sequence[float]]) -> dict[str, int | None]:
    """Places by the median, the least first; equal medians share one, and an infinite or unknown one has none."""
    medians = pd.Series({name: np.median(each) for name, each in values.items()})
    places = medians[np.isfinite(medians)].rank(method="min")
    return {name: int(places[name]) if name in places else None for name in values}
