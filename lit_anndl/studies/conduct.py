"""A study from its definition to its summary."""

import shlex

from lit_anndl.runtime.errors import RunFailure
from lit_anndl.runtime.terminal import quieten
from lit_anndl.studies import local, slurm
from lit_anndl.studies.database import StudyDatabase, retry
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.study import begin
from lit_anndl.studies.summary import summary
from lit_anndl.studies.validation import validate


def conduct(definition: Definition) -> None:
    """Begins a study or goes on with it, here or on the cluster, and prints what it has found.

    Raises:
        InputError: its settings do not fit.
        RunFailure: it was not completed.
    """
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
        return
    local.launch(opened)
    if retry(opened.best) is None:
        print(summary(opened))
        raise RunFailure("no trial is complete")
    print(f"{summary(opened)}\n\nsee it: python -m lit_anndl.ui {shlex.quote(definition.name)}")
