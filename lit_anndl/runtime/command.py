"""A command from its words to its exit code: whatever ends it other than well is said in one line."""

import argparse
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NoReturn, TextIO

from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import Interruption, raising_on_signals

DONE, FAILURE, WRONG_INPUT = 0, 1, 2
_READER_GONE = 128 + signal.SIGPIPE
"""What a shell says of a program that wrote to a pipe which nobody reads any more."""

Ending = InputError | RunFailure | Interruption


def run_command(name: str, work: Callable[[], int], said: Callable[[Ending], str] = str) -> int:
    """Does a command's work; returns its exit code.

    0 done, 1 a failure, 2 wrong input, 130 Ctrl-C, 143 SIGTERM; 141 where what is printed has no reader any more, as
    before `| head`: nothing is said of that.

    Args:
        name: the command's, which its messages begin with.
        work: what it does; returns its exit code.
        said: how an end other than well is told; empty where it needs no words.
    """
    try:
        try:
            return _exit_code(name, work, said)
        finally:
            print(end="", flush=True)  # here, where a pipe without a reader can be dealt with
    except BrokenPipeError:
        gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
        if not gone:
            raise
        for stream in gone:  # what is left in its buffer goes nowhere, without complaint
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return _READER_GONE


def _exit_code(name: str, work: Callable[[], int], said: Callable[[Ending], str]) -> int:
    """The exit code of work, whose errors are told."""
    with raising_on_signals():
        try:
            return work()
        except InputError as error:
            return complain(name, said(error), WRONG_INPUT)
        except RunFailure as error:
            return complain(name, said(error), FAILURE)
        except Interruption as interruption:
            return complain(name, said(interruption), interruption.exit_code)


def complain(name: str, message: str, code: int = FAILURE) -> int:
    """Says in one line what went wrong, and returns the exit code that goes with it."""
    if message:
        print(f"{name}: {message}", file=sys.stderr)
    return code


def _has_no_reader(stream: TextIO) -> bool:
    """Whether a stream is a pipe that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
    except (OSError, ValueError, AttributeError):  # it is no file, closed, or replaced
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


class OneLineParser(argparse.ArgumentParser):
    """A parser that raises an InputError of one line, in place of its usage and an exit."""

    def error(self, message: str) -> NoReturn:
        """Tells of a word that does not fit."""
        raise InputError(message.removeprefix("argument "))

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The words of a command.

        Raises:
            InputError: one does not fit, or is not known (with the nearest that is).
        """
        asked, unknown = self.parse_known_args(argv)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            nearest = get_close_matches(unknown[0], options, n=1, cutoff=0.5)
            known = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(options)}"
            raise InputError(f"{unknown[0]}: not expected here; {known}")
        return asked
