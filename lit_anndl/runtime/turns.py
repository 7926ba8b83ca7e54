"""Functions that go on by turns, in threads, and meet where something is better done for several at once."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Seat:
    """One of the functions, and how it stands."""

    task: Callable[["Turns", int], Any]
    turn: threading.Lock = field(default_factory=threading.Lock)
    offer: tuple[int, Hashable, Any] | None = None
    answer: Any = None
    outcome: Any = None
    is_over: bool = False
    spent: float = 0.0
    since: float | None = None


class Turns:
    """Functions of which one at a time does anything, each in a thread of its own.

    Each goes on until it comes to `meet`, or ends. When all have, those of one kind that wait with the lowest rank are
    served together, and go on. Which thread runs when follows from this alone, never from timing.

    Args:
        tasks: the functions, of these turns and their own number in them.
        serve: does what several wait for, given what each brings; returns what each gets, in their order.
    """

    def __init__(
        self, tasks: Sequence[Callable[["Turns", int], Any]], serve: Callable[[list[Any]], Sequence[Any]]
    ) -> None:
        self._seats = [_Seat(task) for task in tasks]
        self._serve = serve
        self._all_over = threading.Event()
        self._end: BaseException | None = None

    def run(self) -> list[Any]:
        """What each function has returned, or the exception that it has raised.

        What a signal's handler raises here, in the main thread, is raised in the others when they meet, or begin, and
        then here.
        """
        for number, seat in enumerate(self._seats):
            seat.turn.acquire()  # released when it is its turn
            threading.Thread(target=self._take_seat, args=(seat, number), daemon=True).start()
        try:
            self._pass_on()
            self._all_over.wait()
        except BaseException as error:
            self._end = error
            self._all_over.wait()
            raise
        return [seat.outcome for seat in self._seats]

    def meet(self, number: int, rank: int, kind: Hashable, item: Any) -> Any:
        """Waits until all others wait or have ended, and those of lower rank have gone on; returns what is served.

        Args:
            number: of the function.
            rank: of what it waits for.
            kind: what it shares with those that it can be served with.
            item: what it brings.

        Raises:
            Exception: whatever serving raises.
        """
        seat = self._seats[number]
        seat.offer = (rank, kind, item)
        self._leave(seat)
        self._sit_down(seat)
        if isinstance(seat.answer, BaseException):
            raise seat.answer
        return seat.answer

    def raise_end(self) -> None:
        """Raises what a signal's handler has raised in the main thread, which all are to end for."""
        if self._end:
            raise self._end

    def seconds(self, number: int) -> float:
        """The seconds that a function has had, those in which several are served shared equally."""
        seat = self._seats[number]
        return seat.spent + (time.perf_counter() - seat.since if seat.since is not None else 0.0)

    def _take_seat(self, seat: _Seat, number: int) -> None:
        try:
            self._sit_down(seat)
            seat.outcome = seat.task(self, number)
        except BaseException as error:  # told to whoever runs them all
            seat.outcome = error
        seat.is_over = True
        self._leave(seat)

    def _sit_down(self, seat: _Seat) -> None:
        seat.turn.acquire()
        seat.since = time.perf_counter()
        self.raise_end()

    def _leave(self, seat: _Seat) -> None:
        if seat.since is not None:
            seat.spent += time.perf_counter() - seat.since
            seat.since = None
        self._pass_on()

    def _pass_on(self) -> None:
        """Gives the turn to the first that can go on."""
        ready = next((seat for seat in self._seats if not seat.is_over and seat.offer is None), None)
        ready = ready or self._serve_lowest()
        if ready:
            ready.turn.release()
        else:
            self._all_over.set()

    def _serve_lowest(self) -> _Seat | None:
        """Serves the first that waits with the lowest rank, and those of its rank and kind; None if none waits."""
        waiting = [(seat, *seat.offer) for seat in self._seats if seat.offer is not None and not seat.is_over]
        if not waiting:
            return None
        _, lowest, first_kind, _ = min(waiting, key=lambda each: each[1])
        served = [(seat, item) for seat, rank, kind, item in waiting if (rank, kind) == (lowest, first_kind)]
        began = time.perf_counter()
        try:
            answers = self._serve([item for _, item in served])
            assert len(answers) == len(served), "each that is served gets an answer"
        except BaseException as error:
            answers = [error] * len(served)
        share = (time.perf_counter() - began) / len(served)
        for (seat, _), answer in zip(served, answers, strict=True):
            seat.answer, seat.offer = answer, None
            seat.spent += share
        return served[0][0]
