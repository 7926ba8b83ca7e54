"""Several studies in one command."""

from collections.abc import Sequence

from lit_anndl.reports.library import kept_measurements
from lit_anndl.reports.remaining import outlook, remaining
from lit_anndl.runtime.command import complain
from lit_anndl.runtime.errors import InputError, RunFailure, naming
from lit_anndl.runtime.terminal import announce
from lit_anndl.studies.conduct import conduct
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.validation import check_exercises, check_settings


def conduct_all(definitions: Sequence[Definition]) -> None:
    """Runs studies one after the other but for those that are complete; one that fails does not keep the others.

    Raises:
        InputError: one of them has settings that do not fit; then none is run.
        RunFailure: one was not completed.
    """
    if len({definition.name for definition in definitions}) < len(definitions):
        raise InputError("several studies were given that have one name; give each of them a command of its own")
    announce("the studies are checked …")
    for definition in definitions:
        with naming(definition.name):
            check_exercises(definition)
    kept = kept_measurements(definitions)
    left = {definition.name: remaining(definition, kept[definition.name]) for definition in definitions}
    for definition in definitions:
        if not left[definition.name].complete:
            with naming(definition.name):
                check_settings(definition)
    print(outlook(left), flush=True)
    failed = []
    for number, definition in enumerate(definitions, start=1):
        if left[definition.name].complete:
            continue
        print(f"\n{definition.name} ({number} of {len(definitions)}): {left[definition.name]}", flush=True)
        try:
            conduct(definition)
        except (RunFailure, InputError) as error:
            failed.append(definition.name)
            complain("sweep", str(error))
    if failed:
        raise RunFailure(f"studies that were not completed: {', '.join(failed)}")
