"""Look at runs: python -m lit_anndl.ui [STUDY | RUN_ID] opens MLflow where it compares them."""

import os
import re
import sys
import webbrowser
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lit_anndl.runtime.command import DONE, FAILURE, OneLineParser, run_command
from lit_anndl.runtime.interruption import Interruption
from lit_anndl.runtime.terminal import announce

if TYPE_CHECKING:
    from lit_anndl.tracking.store import TrackingStore

_LAST_PORT = 65535


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run_command("ui", lambda: _show(_words(argv)))


def _words(argv: Sequence[str]) -> Namespace:
    """What is asked for."""
    parser = OneLineParser(prog="python -m lit_anndl.ui", description=__doc__)
    parser.add_argument("name", nargs="?", metavar="STUDY | RUN_ID", help="show this (default: the latest experiment)")
    parser.add_argument("--port", type=_port, help="of the server (default: 5000, or the next free one)")
    parser.add_argument("--host", default="127.0.0.1", help="who may look: this machine alone (default), or 0.0.0.0")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    return parser.parse(argv)


def _port(word: str) -> int:
    """The number of a port."""
    if not word.isdecimal() or not 0 < int(word) <= _LAST_PORT:
        raise ArgumentTypeError(f"{word} was given, expected a whole number from 1 to {_LAST_PORT}")
    return int(word)


def _show(asked: Namespace) -> int:
    """Serves the store until it is interrupted, which is how this ends; one that is served already is only opened."""
    try:
        return _serve(asked)
    except Interruption:
        return DONE


def _serve(asked: Namespace) -> int:
    """Serves and opens what is asked for."""
    announce("MLflow is loaded …")
    from lit_anndl.tracking.leftovers import open_store
    from lit_anndl.tracking.server import running_server, serving

    store = open_store()
    page = _page(store, asked.name)
    if server := running_server(store, asked.host, asked.port):
        _open(page.format(server=server), asked)
        return DONE
    with serving(store, asked.host, asked.port) as (server, process):
        _open(page.format(server=server), asked)
        print("(Ctrl-C ends it)", flush=True)
        return FAILURE if process.wait() else DONE


def _page(store: "TrackingStore", name: str | None) -> str:
    """The page that shows what is asked for, on a {server} to be filled in.

    Raises:
        InputError: there is no such run or study, or no runs at all.
    """
    from lit_anndl.tracking.comparison import charts_page, run_page

    if name and re.fullmatch("[0-9a-f]{32}", name):
        return run_page("{server}", store.run(name).info.experiment_id, name)
    return charts_page("{server}", store.experiment_of_study(name) if name else store.latest_experiment(), name)


def _open(page: str, asked: Namespace) -> None:
    """Prints the address, and opens it where there is a screen."""
    print(page, flush=True)
    if not asked.no_browser and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        webbrowser.open(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
