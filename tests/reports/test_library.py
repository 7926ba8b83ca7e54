"""What is kept of the studies of a folder."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lit_anndl.reports import library
from lit_anndl.reports.library import Library, kept_measurements
from lit_anndl.reports.measured_files import read_measurements, write_measurements
from lit_anndl.reports.measurements import Measurement
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import SHARED_BY
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.settings_digest import settings_digests

BASE = {"exercise": "surface", "metric": "test/mse", "seeds": [0, 1]}


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Definition]:
    """Two studies that have one row's settings in common, said in two ways."""
    monkeypatch.setattr(library, "project", lambda: tmp_path)
    (tmp_path / "sweeps").mkdir()
    for name, content in {
        "grid": {"rows": {"narrow": {"model.hidden": 3}, "wide": {"model.hidden": 5}}},
        "long": {"overrides": {"model.hidden": 5}, "rows": {"short": {"trainer.max_epochs": 2}, "as it is": {}}},
    }.items():
        (tmp_path / "sweeps" / f"{name}.yaml").write_text(yaml.safe_dump({**BASE, **content}, sort_keys=False))
    return {page.name: page.definition for page in Library().pages()}


def measured(definition: Definition, row: str, seed: int, value: float) -> Measurement:
    about = ("0123456789a", "2026-01-31", "a processor, 2 cores", "torch 2.11")
    return Measurement(row, seed, settings_digests(definition)[row], {"test/mse": value}, 1.5, *about)


def test_a_row_is_measured_where_another_study_has_its_settings(studies: dict[str, Definition]) -> None:
    wide = [measured(studies["grid"], "wide", seed, value) for seed, value in [(0, 0.25), (1, 0.5), (2, 0.75)]]
    own = measured(studies["long"], "as it is", 0, 0.125)
    write_measurements(Library().measured("grid"), wide)
    write_measurements(Library().measured("long"), [own])
    grid, long = Library().pages()
    assert grid.committed == wide
    assert [line.measured for line in grid.lines] == ["", "0.5 (0.25–0.75)"]
    assert long.committed == [own, replace(wide[1], row="as it is")]  # its own first, and of no other seed than its two
    assert [line.measured for line in long.lines] == ["", "0.3125 (0.125–0.5)"]
    assert kept_measurements([long.definition]) == {"long": long.committed}


def test_what_is_not_done_is_missed(studies: dict[str, Definition]) -> None:
    write_measurements(Library().measured("grid"), [measured(studies["grid"], "wide", 0, 0.25)])
    page = replace(Library().page("grid"), own=[measured(studies["grid"], "narrow", seed, 0.5) for seed in (0, 1)])
    assert [(line.measured, line.own) for line in page.lines] == [("", "0.5"), ("0.25, 1 of 2 runs", "")]
    assert [each.row for each in page.measurements] == ["wide", "narrow", "narrow"]


def test_seconds_that_are_shares_say_so(studies: dict[str, Definition]) -> None:
    own = [measured(studies["grid"], "wide", seed, 0.25) for seed in (0, 1)]
    shared = [replace(each, metrics={**each.metrics, SHARED_BY: 2.0}) for each in own]
    assert [line.seconds for line in replace(Library().page("grid"), own=own).lines] == ["", "1.5"]
    assert [line.seconds for line in replace(Library().page("grid"), own=shared).lines] == ["", "1.5, shared by 2"]


@pytest.mark.parametrize("file", ["elsewhere/grid.yaml", "grid.yaml"])
def test_a_file_of_another_folder_is_none_of_its_studies(file: str, studies: dict[str, Definition]) -> None:
    with pytest.raises(InputError, match=f"{file} was given, expected a study of"):
        Library().page(file)
    assert Library().page(str(Library().folder / "grid.yaml")).name == "grid"


def test_what_another_study_has_measured_stays_its_own(
    studies: dict[str, Definition], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = measured(studies["grid"], "wide", 0, 0.25)
    write_measurements(Library().measured("grid"), [wide])
    fresh = measured(studies["long"], "short", 0, 0.5)
    monkeypatch.setattr(library, "measured_in", lambda _, definition: [fresh] if definition.name == "long" else [])
    kept = Library()
    assert kept.update(None, []) == ["long"]  # type: ignore[arg-type]  # the store is not looked at
    assert read_measurements(kept.measured("long"), studies["long"]) == [fresh]
    assert kept.page("long").committed == [fresh, replace(wide, row="as it is")]
