"""Run a study: python -m lit_anndl.sweep STUDY.yaml [--key value …]."""

import logging
import shlex
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from lit_anndl.runtime.command import DONE, Ending, complain, run_command
from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import Interruption
from lit_anndl.runtime.terminal import announce, quieten

if TYPE_CHECKING:
    from lit_anndl.studies.definition import Definition

USAGE = """\
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
        print(USAGE)
        return DONE
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if argv[0] == "--status":
        return status(argv[1:])
    return sweep(*split(argv))


def _said(ending: Ending) -> str:
    return f"{ending}; the same command goes on" if isinstance(ending, Interruption) else str(ending)


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The studies of a command, and its options."""
    studies = list(takewhile(lambda word: not word.startswith("-"), argv))
    if not studies:
        raise InputError(f"the study file comes first, before {argv[0]}")
    return studies, list(argv[len(studies) :])


def sweep(studies: Sequence[str], argv: Sequence[str]) -> int:
    """Begins studies, or goes on with them."""
    if {"--help", "-h"} & set(argv):
        return print_help()
    if len(studies) == 1:
        return sweep_one(definition_of(studies[0], argv))
    definitions = [definition_of(study, argv) for study in studies]
    if len({definition.name for definition in definitions}) < len(definitions):
        raise InputError("several studies were given that have one name; give each of them a command of its own")
    return sweep_all(definitions)


def sweep_all(definitions: Sequence["Definition"]) -> int:
    """Runs studies one after the other but for those that are complete; one that fails does not keep the others."""
    from lit_anndl.reports.library import kept_measurements
    from lit_anndl.reports.remaining import outlook, remaining
    from lit_anndl.studies.validation import check_settings

    announce("the studies are checked …")
    left = {definition.name: remaining(definition, kept_measurements(definition)) for definition in definitions}
    for definition in definitions:
        if not left[definition.name].complete:
            check_settings(definition)
    print(outlook(left), flush=True)
    failed = []
    for number, definition in enumerate(definitions, start=1):
        if left[definition.name].complete:
            continue
        print(f"\n{definition.name} ({number} of {len(definitions)}): {left[definition.name]}", flush=True)
        try:
            sweep_one(definition)
        except (RunFailure, InputError) as error:
            failed.append(definition.name)
            complain("sweep", str(error))
    if failed:
        raise RunFailure(f"studies that were not completed: {', '.join(failed)}")
    return DONE


def sweep_one(definition: "Definition") -> int:
    """Begins a study, or goes on with it."""
    from lit_anndl.studies import local, slurm
    from lit_anndl.studies.database import StudyDatabase, retry
    from lit_anndl.studies.results import summary
    from lit_anndl.studies.study import begin
    from lit_anndl.studies.validation import validate

    quieten()
    storage = StudyDatabase(definition.storage)
    validate(definition)
    launcher = slurm if definition.launcher == "slurm" else local
    launcher.check(definition)
    opened = begin(definition, storage)
    if definition.launcher == "slurm":
        where = f" --storage {storage.shown}" if definition.storage else ""
        print(f"submitted as job {slurm.launch(opened)}")
        print(f"watch it: python -m lit_anndl.sweep --status {shlex.quote(definition.name)}{where}")
        return DONE
    local.launch(opened)
    if retry(opened.best) is None:
        print(summary(opened))
        raise RunFailure("no trial is complete")
    print(f"{summary(opened)}\n\nsee it: python -m lit_anndl.ui {shlex.quote(definition.name)}")
    return DONE


def print_help() -> int:
    """Prints what a study file holds, and how its space is written."""
    from lit_anndl.studies import space
    from lit_anndl.studies.definition import make_parser

    make_parser().print_help()
    print(f"\n{space.__doc__}")
    return DONE


def definition_of(study: str, argv: Sequence[str]) -> "Definition":
    """A study file's, or that of the study of a name, with options laid over it."""
    from lit_anndl.studies.definition import changed_by, read_definition

    if is_file(study):
        return read_definition(Path(study), argv)
    from lit_anndl.config.options import option_value
    from lit_anndl.studies.database import StudyDatabase
    from lit_anndl.studies.study import load

    try:
        kept = load(study, StudyDatabase(option_value(argv, "storage"))).definition
    except InputError as error:
        file = Path("sweeps", f"{study}.yaml")
        hint = f"; begin it with its file, {file}" if file.is_file() else "; the file of a study ends in .yaml"
        raise InputError(f"{error}{hint}") from error
    return changed_by(kept, argv)


def is_file(study: str) -> bool:
    """Whether a study is given by its file, and not by its name."""
    return study.endswith((".yaml", ".yml")) or Path(study).is_file()


def status(argv: Sequence[str]) -> int:
    """Prints how a study stands."""
    parts = [word.split("=", 1) if word.startswith("--") else [word] for word in argv]
    name, *options = [part for word in parts for part in word] or [""]
    if not name or name.startswith("-") or (options and (len(options) != 2 or options[0] != "--storage")):
        raise InputError("expected --status STUDY [--storage URL]")
    from lit_anndl.studies.database import StudyDatabase
    from lit_anndl.studies.definition import read_definition
    from lit_anndl.studies.results import summary
    from lit_anndl.studies.study import load

    address = options[1] if options else None
    if is_file(name):
        definition = read_definition(Path(name))
        name, address = definition.name, address or definition.storage
    print(summary(load(name, StudyDatabase(address))))
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
