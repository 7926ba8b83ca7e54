"""Measurements as files beside the studies."""

from dataclasses import replace
from pathlib import Path

import pytest

from lit_anndl.reports.measured_files import read_measurements, write_measurements
from lit_anndl.reports.measurements import Measurement
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.study_file import parse_definition

CONTENT = {"name": "small", "exercise": "surface", "metric": "test/mse", "rows": {"a, b": {}, "NA": {}, "c": {}}}


@pytest.fixture
def definition() -> Definition:
    return parse_definition(CONTENT)


def measured(definition: Definition, row: str, seed: int, **metrics: float) -> Measurement:
    named = {name.replace("_", "/"): value for name, value in metrics.items()}
    about = ("0123456789a", "2026-01-31", "a processor, 2 cores", "torch 2.11")
    return Measurement(row, seed, settings_digests(definition)[row], named, 1.5, *about)


def test_what_is_written_is_read(tmp_path: Path, definition: Definition) -> None:
    written = [
        measured(definition, "a, b", 0, test_mse=0.25, train_mse=1e-7),
        measured(definition, "NA", 3, test_mse=12.0),
        replace(measured(definition, "c", 0, test_mse=-1.0), seconds=2.0),
    ]
    write_measurements(tmp_path / "measured" / "small.csv", written)
    assert read_measurements(tmp_path / "measured" / "small.csv", definition) == written


def test_what_a_search_has_chosen_is_kept(tmp_path: Path, definition: Definition) -> None:
    row = measured(definition, "c", 0, test_mse=1.0)
    chosen = replace(row, seed=1, chosen="model.hidden [3, 4], model.optimizer.lr 0.1")
    write_measurements(tmp_path / "small.csv", [row, chosen])
    assert read_measurements(tmp_path / "small.csv", definition) == [row, chosen]
    write_measurements(tmp_path / "small.csv", [row])
    assert "chosen" not in (tmp_path / "small.csv").read_text()


def test_no_file_is_no_measurement(tmp_path: Path, definition: Definition) -> None:
    assert read_measurements(tmp_path / "small.csv", definition) == []


HEADER = "row,seed,settings,test/mse,seconds,commit,date,processor,versions\n"
REST = "1.5,abc,2026-01-31,cpu,torch\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "No columns to parse"),
        ("row,seed\n", "there is no column settings"),
        (HEADER + f"d,0,x,0.1,{REST}", "there is no row d in study small"),
        (HEADER + f"cc,0,x,0.1,{REST}", "there is no row cc in study small; did you mean c?"),
        (HEADER + f"c,0,x,0.1,{REST}c,0,x,0.2,{REST}", "row c with seed 0 stands there twice"),
        (HEADER + f"c,zero,x,0.1,{REST}", "zero"),
        (HEADER + f"c,0,x,much,{REST}", "much"),
    ],
)
def test_a_file_that_does_not_fit_its_study(text: str, message: str, tmp_path: Path, definition: Definition) -> None:
    path = tmp_path / "small.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_measurements(path, definition)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and message in line and "\n" not in line


def test_what_was_measured_with_other_settings_is_left_out(tmp_path, definition, caplog) -> None:
    path = tmp_path / "small.csv"
    write_measurements(path, [measured(definition, "c", 0, test_mse=1.0), measured(definition, "NA", 0, test_mse=1.0)])
    changed = parse_definition({**CONTENT, "rows": {**CONTENT["rows"], "c": {"model.hidden": 7}}})
    assert [each.row for each in read_measurements(path, changed)] == ["NA"]
    assert caplog.messages == [f"{path}: measured with other settings than the study has, so left out: c (seed 0)"]
