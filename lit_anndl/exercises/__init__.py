"""The exercises: one NAME.py (the LightningModule) with its NAME.yaml (the default configuration) each.

What exercises there are is read off this folder, so that nothing central is edited to add one. Listing imports
none of them: it answers before torch is loaded.
"""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The exercises on disk, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def preset(name: str) -> Path:
    """The default configuration of an exercise."""
    return FOLDER / f"{name}.yaml"


def summary(name: str) -> str:
    """The first line of the docstring of an exercise's module."""
    module = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(module) or "").partition("\n")[0]
