"""Where a published number lies among measured ones."""

import pytest

from lit_anndl.reports.verdicts import Comparison, Verdict, rounding


def compared(published: float, measured: list[float], slip: str = "") -> Comparison:
    return Comparison("row", "test/mse", "A", published, measured, slip)


@pytest.mark.parametrize(
    ("published", "measured", "verdict", "distance"),
    [
        (0.0033, [0.0017, 0.0047], Verdict.INSIDE, ""),
        (0.0033, [0.0033], Verdict.INSIDE, ""),
        (0.0033, [0.003349], Verdict.INSIDE, ""),  # to its own digits
        (0.0033, [0.00336], Verdict.OUTSIDE, "2% below the lowest"),
        (0.99, [0.8, 0.9], Verdict.OUTSIDE, "10% above the highest"),
        (-8.9133, [-9.37, -9.01], Verdict.OUTSIDE, "1% above the highest"),
        (300.0, [3.0], Verdict.OUTSIDE, "100 × the highest"),
        (26.0, [0.0], Verdict.OUTSIDE, "26 above the highest"),
        (1.0, [0.955], Verdict.OUTSIDE, "5% above the highest"),  # whole numbers stand for themselves
        (-5.0, [-0.1], Verdict.OUTSIDE, "4900% below the lowest"),
        (-20.0, [1.0], Verdict.OUTSIDE, "2100% below the lowest"),
        (0.001, [1.0], Verdict.OUTSIDE, "100% below the lowest"),
        (1.001, [1.0], Verdict.OUTSIDE, "less than 1% above the highest"),
        (1.0, [], Verdict.NOT_RUN, ""),
    ],
)
def test_verdicts(published: float, measured: list[float], verdict: Verdict, distance: str) -> None:
    comparison = compared(published, measured)
    assert (comparison.verdict, comparison.distance) == (verdict, distance)


def test_a_slip_is_one_whatever_was_measured() -> None:
    assert compared(1.0, [1.0], slip="it is a misprint").verdict is Verdict.SLIP
    assert compared(1.0, [], slip="it is a misprint").verdict is Verdict.SLIP


@pytest.mark.parametrize(
    ("number", "half"), [(0.0033, 5e-5), (2.228e-4, 5e-8), (90.3, 0.05), (1e-7, 5e-8), (-8.9133, 5e-5), (35.0, 0)]
)
def test_a_number_stands_for_those_that_round_to_it(number: float, half: float) -> None:
    assert rounding(number) == pytest.approx(half)
