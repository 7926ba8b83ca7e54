"""Run a study: python -m lit_anndl.sweep STUDY.yaml [--key value …]."""

import logging
import sys
from collections.abc import Sequence
from itertools import takewhile

from lit_anndl.runtime.command import DONE, Ending, run_command
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.interruption import Interruption

_USAGE = """\
usage: python -m lit_anndl.sweep STUDY.yaml… [--trials N] [--workers K] [--storage URL] [--launcher local|slurm]
       python -m lit_anndl.sweep STUDY             goes on with the study of that name
       python -m lit_anndl.sweep --status STUDY [--storage URL]
       python -m lit_anndl.sweep STUDY.yaml --help   what a study file holds, and how a space is written

Runs a study: many runs of one exercise, over a search space or over the rows of a table. The same command goes on
with a study that was interrupted, and adds workers to one that is running, on this or on other machines; more
--trials or further --seeds make it longer. Whatever stands in the file can be given as --key value too. Several
studies are run one after another; those that are complete are passed over.
"""


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0 done, 1 a failure, 2 wrong input, 130 Ctrl-C, 143 SIGTERM."""
    return run_command("sweep", lambda: _begin(argv), _said)


def _begin(argv: Sequence[str]) -> int:
    """Does what the words ask for."""
    if not argv or argv[0] in ("--help", "-h"):
        print(_USAGE)
        return DONE
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if argv[0] == "--status":
        _print_status(argv[1:])
        return DONE
    studies, options = _split(argv)
    if {"--help", "-h"} & set(options):
        _print_help()
    else:
        _sweep(studies, options)
    return DONE


def _said(ending: Ending) -> str:
    return f"{ending}; the same command goes on" if isinstance(ending, Interruption) else str(ending)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The studies of a command, and its options."""
    studies = list(takewhile(lambda word: not word.startswith("-"), argv))
    if not studies:
        raise InputError(f"the study file comes first, before {argv[0]}")
    return studies, list(argv[len(studies) :])


def _sweep(studies: Sequence[str], options: Sequence[str]) -> None:
    """Begins studies, or goes on with them."""
    from lit_anndl.studies.asked import definition_of

    if len(studies) == 1:
        from lit_anndl.studies.conduct import conduct

        conduct(definition_of(studies[0], options))
    else:
        from lit_anndl.reports.several import conduct_all
        from lit_anndl.runtime.errors import naming

        definitions = []
        for study in studies:
            with naming(study):
                definitions.append(definition_of(study, options))
        conduct_all(definitions)


def _print_help() -> None:
    """Prints what a study file holds, and how its space is written."""
    from lit_anndl.studies import space_file
    from lit_anndl.studies.study_file import make_parser

    make_parser().print_help()
    print(f"\n{space_file.__doc__}")


def _print_status(words: Sequence[str]) -> None:
    """Prints how a study stands."""
    from lit_anndl.studies.asked import study_of
    from lit_anndl.studies.summary import summary

    print(summary(study_of(words)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
