"""Published numbers beside measured ones: python -m lit_anndl.report [STUDY… | RUN_ID…]."""

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_anndl.runtime.command import DONE, FAILURE, OneLineParser, run_command
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.paths import run_store
from lit_anndl.runtime.terminal import announce, quieten

if TYPE_CHECKING:
    from lit_anndl.reports.library import Library
    from lit_anndl.tracking.store import TrackingStore


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0 done, 1 a page is stale or a failure, 2 wrong input."""
    return run_command("report", lambda: _report(_words(argv)))


def _words(argv: Sequence[str]) -> Namespace:
    """What is asked for."""
    parser = OneLineParser(prog="python -m lit_anndl.report", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="STUDY | RUN_ID", help="studies (default: all), or runs of yours")
    parser.add_argument("--output", type=Path, help="folder of the pages (default: in mlruns/report)")
    parser.add_argument("--check", action="store_true", help="exit 1 if sweeps/README.md or README.md is stale")
    parser.add_argument("--update", action="store_true", help="keep what was measured in sweeps/, and renew its pages")
    return parser.parse(argv)


def _report(asked: Namespace) -> int:
    """Does what is asked for."""
    quieten()
    announce("studies and runs are read …")
    from lit_anndl.reports.library import Library

    runs = [name for name in asked.names if re.fullmatch("[0-9a-f]{32}", name)]
    _refuse_useless_words(asked, runs)
    library = Library()
    if asked.check:
        return _check(library)
    if runs:
        return _place(library, runs)
    from lit_anndl.tracking.leftovers import open_store

    store = open_store()
    if asked.update:
        updated = library.update(store, asked.names)
        library.write_pages()
        print(f"measured anew: {', '.join(updated) or 'none'}")
    return _write(library, store, asked.names, asked.output)


def _refuse_useless_words(asked: Namespace, runs: Sequence[str]) -> None:
    """Refuses words that would change nothing."""
    if asked.check and (asked.names or asked.update or asked.output):
        raise InputError("--check looks at all pages, and takes no other words")
    if runs and (len(runs) < len(asked.names) or asked.update or asked.output):
        raise InputError("runs are placed among the published rows of their exercises: expected RUN_IDs alone")


def _check(library: "Library") -> int:
    """Says which of the pages that are kept are not what their data give."""
    stale = library.stale()
    for path in stale:
        print(f"{path} is stale; renew it with: python -m lit_anndl.report --update", file=sys.stderr)
    return FAILURE if stale else DONE


def _place(library: "Library", runs: Sequence[str]) -> int:
    """Prints where runs stand among the published rows of their exercises."""
    from lit_anndl.reports.placing import placed
    from lit_anndl.tracking.exercise_runs import read_run
    from lit_anndl.tracking.leftovers import open_store

    store, pages = open_store(), library.pages()
    print("\n\n".join(placed(read_run(store, run), pages) for run in runs))
    return DONE


def _write(library: "Library", store: "TrackingStore", studies: Sequence[str], output: Path | None) -> int:
    """Writes index.html and report.md into a folder, one of the run store's unless one is given; prints a summary.

    Raises:
        InputError: the folder cannot be written.
    """
    from lit_anndl.reports.library import with_own
    from lit_anndl.reports.rendering import html, markdown
    from lit_anndl.reports.verdicts import summary
    from lit_anndl.runtime.files import write_atomically

    pages = [with_own(page, store) for page in library.pages(studies)]
    folder = output or run_store() / "report" / "+".join(page.name for page in pages if studies)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "index.html", html(pages).encode())
        write_atomically(folder / "report.md", markdown(pages).encode())
    except OSError as error:
        raise InputError(f"--output {folder} cannot be written: {error.strerror}") from error
    number = f"{len(pages)} {'study' if len(pages) == 1 else 'studies'}"
    print(f"{number}; published numbers: {summary([page.tally for page in pages])}\n{folder / 'index.html'}")
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
