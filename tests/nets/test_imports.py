"""The mathematics imports no runner."""

import ast
from pathlib import Path

import pytest

from lit_anndl import nets
from tests.support.processes import import_without

FOLDER = Path(nets.__path__[0])
FILES = sorted(FOLDER.rglob("*.py"))
FORBIDDEN = {"lightning", "mlflow", "optuna", "matplotlib"}


def module_name(path: Path) -> str:
    parts = path.relative_to(FOLDER.parent.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """The top-level names of what a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_no_runner(path: Path) -> None:
    assert not imported(path) & FORBIDDEN


def test_no_runner_is_needed_to_import_them() -> None:
    modules = [module_name(path) for path in FILES]
    assert "lit_anndl.nets.mlp" in modules
    import_without(FORBIDDEN, modules)
