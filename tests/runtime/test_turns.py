"""Functions that go on by turns and meet."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lit_anndl.runtime.turns import Turns


def counting(steps: int, first: int = 0) -> Callable[[Turns, int], int]:
    """Meets so many times, with ranks from `first` on; returns the sum of what it gets."""

    def task(turns: Turns, number: int) -> int:
        return sum(turns.meet(number, rank, None, (number, rank)) for rank in range(first, first + steps))

    return task


def noting(meetings: list[list[Any]]) -> Callable[[list[Any]], list[int]]:
    def serve(items: list[Any]) -> list[int]:
        meetings.append(items)
        return [number + 1 for number, _ in items]

    return serve


def test_all_that_wait_are_served_together_until_they_end() -> None:
    meetings: list[list[Any]] = []
    assert Turns([counting(2), counting(3), counting(2)], noting(meetings)).run() == [
        2,
        6,
        6,
    ]
    assert meetings == [[(0, 0), (1, 0), (2, 0)], [(0, 1), (1, 1), (2, 1)], [(1, 2)]]


def test_of_equal_rank_those_of_one_kind_are_served_together() -> None:
    meetings: list[list[Any]] = []

    def task(turns: Turns, number: int) -> int:
        return sum(turns.meet(number, rank, number % 2, (number, rank)) for rank in range(2))

    assert Turns([task] * 4, noting(meetings)).run() == [2, 4, 6, 8]
    assert meetings == [[(0, 0), (2, 0)], [(1, 0), (3, 0)], [(0, 1), (2, 1)], [(1, 1), (3, 1)]]


def test_those_behind_catch_up_first() -> None:
    meetings: list[list[Any]] = []
    Turns([counting(2, first=2), counting(4)], noting(meetings)).run()
    assert meetings == [[(1, 0)], [(1, 1)], [(0, 2), (1, 2)], [(0, 3), (1, 3)]]


def test_one_at_a_time_does_anything() -> None:
    busy, overlaps = threading.Lock(), []

    def task(turns: Turns, number: int) -> None:
        for rank in range(20):
            overlaps.append(not busy.acquire(blocking=False))
            sum(range(2000))
            busy.release()
            turns.meet(number, rank, None, None)

    Turns([task] * 5, lambda items: items).run()
    assert len(overlaps) == 100
    assert not any(overlaps)


def test_one_that_fails_fails_alone() -> None:
    def failing(turns: Turns, number: int) -> None:
        turns.meet(number, 0, None, (number, 0))
        raise ValueError("a reason")

    meetings: list[list[Any]] = []
    failed, other = Turns([failing, counting(3)], noting(meetings)).run()
    assert repr(failed) == "ValueError('a reason')"
    assert other == 6


def test_what_serving_raises_reaches_all_that_were_served() -> None:
    def serve(items: list[Any]) -> list[int]:
        raise ValueError(f"of {len(items)}")

    outcomes = Turns([counting(1), counting(1)], serve).run()
    assert [repr(each) for each in outcomes] == ["ValueError('of 2')"] * 2


def test_seconds_of_what_is_served_are_shared() -> None:
    def serve(items: list[Any]) -> list[int]:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.05:
            pass
        return [0] * len(items)

    turns = Turns([counting(2), counting(2)], serve)
    turns.run()
    first, second = turns.seconds(0), turns.seconds(1)
    assert first + second >= 0.1
    assert first == pytest.approx(second, abs=0.02)


def test_what_a_signal_raises_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def task(turns: Turns, number: int) -> None:
        begun.append(number)
        turns.meet(number, 0, None, None)
        turns.meet(number, 1, None, None)

    turns = Turns([task, task], lambda items: items)
    wait = turns._all_over.wait
    raised = []

    def interrupted() -> None:
        if not raised:
            raised.append(True)
            raise KeyboardInterrupt
        wait()

    monkeypatch.setattr(turns._all_over, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        turns.run()
    assert all(seat.is_over for seat in turns._seats)
