import math

import pytest

from lit_anndl.studies.convergence import arrival, epochs_until_below, ranks
from lit_anndl.tracking.run_records import Record


def curve(*values: float) -> list[tuple[int, float]]:
    return list(enumerate(values))


@pytest.mark.parametrize(
    ("values", "epochs"),
    [
        ((0.9, 0.4, 0.3), 2),  # after its second epoch, to the end
        ((0.4, 0.9, 0.3), 3),  # it came back
        ((0.4, 0.3, 0.9), math.inf),
        ((0.4, 0.3), 1),
        ((0.5, 0.5), math.inf),  # below, not at
        ((0.4, math.nan, 0.3), 3),
        ((), math.inf),
    ],
)
def test_epochs_until_a_curve_stays_below(values, epochs):
    assert epochs_until_below(curve(*values), 0.5) == epochs


def test_seconds_are_those_at_the_end_of_the_epoch():
    records = [
        Record({"train/mse": curve(0.9, 0.4, 0.3)}, [1.0, 2.5, 4.0]),
        Record({"train/mse": curve(0.9, 0.8, 0.7)}, [1.0, 2.0, 3.0]),
        Record({"train/mse": curve(0.9, 0.4, 0.3)}, []),  # its seconds were not kept
    ]
    found = arrival(records, "train/mse", 0.5)
    assert found.epochs == [2, math.inf, 2]
    assert found.seconds[:2] == [2.5, math.inf] and math.isnan(found.seconds[2])


def test_ranks_by_the_median():
    values = {"a": [5, 1, 9], "b": [4.0], "c": [5, 5, 5], "d": [1, math.inf, math.inf], "e": [7, 7]}
    assert ranks(values) == {"a": 2, "b": 1, "c": 2, "d": None, "e": 4}
    assert ranks({"known": [3, 4], "unknown": [1, math.nan]}) == {"known": 1, "unknown": None}
