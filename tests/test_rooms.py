"""Who may import whom, and that names are unique: the plan of the house."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import lit_anndl

FOLDER = Path(lit_anndl.__path__[0])
FILES = sorted(FOLDER.rglob("*.py"))
ROOMS = (
    ("runtime",),
    ("data", "nets", "plots"),
    ("modules", "quality"),
    ("exercises", "tracking", "callbacks"),
    ("config",),
    ("runs",),
    ("studies",),
    ("reports",),
)
"""From the ground up: a room imports those of the floors below, and itself."""
FLOORS = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}
ONLY_IN = {"mlflow": {"tracking", "ui"}, "optuna": {"studies"}}
NAMED_TWICE = {"santafe", "surface", "__init__"}
"""A data set and its exercise may share a name."""


def room(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """The dotted names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_folder_has_its_floor() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imports_run_one_way(path: Path) -> None:
    own = FLOORS.get(room(path), len(ROOMS))  # the commands stand on top
    inside = {name.split(".")[1] for name in imported(path) if name.startswith("lit_anndl.")}
    assert all(other == room(path) or FLOORS.get(other, len(ROOMS)) < own or own == len(ROOMS) for other in inside)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    used = {name.partition(".")[0] for name in imported(path)}
    assert {library for library, rooms in ONLY_IN.items() if room(path) not in rooms} & used == set()


def test_no_two_files_have_one_name() -> None:
    names = Counter(path.stem for path in FILES)
    assert {name for name, count in names.items() if count > 1} <= NAMED_TWICE


def test_the_tests_mirror_the_rooms() -> None:
    tests = Path(__file__).parent
    for path in tests.glob("*/**/test_*.py"):
        folder = FOLDER / path.parent.relative_to(tests)
        assert folder.is_dir(), f"{path} tests no folder of the package"
