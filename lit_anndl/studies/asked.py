"""Which study a command is about: that of a file, or one that is kept, by its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_anndl.config.options import option_value
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.study_file import changed_by, read_definition

if TYPE_CHECKING:
    from lit_anndl.studies.study import OpenStudy


def definition_of(study: str, argv: Sequence[str]) -> Definition:
    """A study file's, or that of the study of a name, with options laid over it."""
    if _is_file(study):
        return read_definition(Path(study), argv)
    try:
        kept = _load(study, option_value(argv, "storage")).definition
    except InputError as error:
        file = Path("sweeps", f"{study}.yaml")
        hint = f"; begin it with its file, {file}" if file.is_file() else "; the file of a study ends in .yaml"
        raise InputError(f"{error}{hint}") from error
    return changed_by(kept, argv)


def study_of(argv: Sequence[str]) -> "OpenStudy":
    """The study that `--status STUDY [--storage URL]` asks for, by what comes after `--status`."""
    parts = [word.split("=", 1) if word.startswith("--") else [word] for word in argv]
    name, *options = [part for word in parts for part in word] or [""]
    if not name or name.startswith("-") or (options and (len(options) != 2 or options[0] != "--storage")):
        raise InputError("expected --status STUDY [--storage URL]")
    address = options[1] if options else None
    if _is_file(name):
        definition = read_definition(Path(name))
        name, address = definition.name, address or definition.storage
    return _load(name, address)


def _is_file(study: str) -> bool:
    """Whether a study is given by its file, and not by its name."""
    return study.endswith((".yaml", ".yml")) or Path(study).is_file()


def _load(name: str, address: str | None) -> "OpenStudy":
    """A study that is kept; Optuna and MLflow are loaded for it, and not for a file that cannot be read."""
    from lit_anndl.studies.database import StudyDatabase
    from lit_anndl.studies.study import load

    return load(name, StudyDatabase(address))
