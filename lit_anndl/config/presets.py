"""What exercises there are: a preset NAME.yaml each, in the folder of its session of the course.

They are read off the disk, so that nothing central is edited to add one. Listing imports no exercise: it answers before
torch is loaded.
"""

import ast
import pkgutil
from pathlib import Path
from typing import Any

import yaml

from lit_anndl import exercises

FOLDER = Path(exercises.__path__[0])


def names() -> list[str]:
    """The exercises on disk, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*/*.yaml"))


def preset(name: str) -> Path:
    """The default configuration of an exercise."""
    (path,) = FOLDER.glob(f"*/{name}.yaml")
    return path


def summary(name: str) -> str:
    """What an exercise is, in a line: the first comment of its preset."""
    comment = preset(name).read_text(encoding="utf-8").partition("\n")[0]
    return comment.removeprefix("#").strip()


def model_class(name: str) -> Any:
    """An exercise's LightningModule, as its preset has it; imports it."""
    content = yaml.safe_load(preset(name).read_text(encoding="utf-8"))
    return pkgutil.resolve_name(content["model"]["class_path"])


def by_session() -> dict[str, list[str]]:
    """The exercises of each session, under what its folder says of it."""
    folders = {path.parent for path in FOLDER.glob("*/*.yaml")}
    titles = {_title(folder): sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}
    return dict(sorted(titles.items()))


def _title(folder: Path) -> str:
    """The first line of a package's docstring."""
    file = folder / "__init__.py"
    package = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return (ast.get_docstring(package) or folder.name).partition("\n")[0].rstrip(".")
