"""Several studies in one command."""

import json

import pytest
import yaml

from lit_anndl import sweep
from lit_anndl.reports import library
from lit_anndl.reports.measured_files import write_measurements
from lit_anndl.reports.measurements import Measurement
from lit_anndl.reports.study_page import in_words
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.study_file import read_definition

ROWS = {
    "exercise": "surface",
    "overrides": {"trainer.max_epochs": 1, "data.grid_size": 5},
    "metric": "test/mse",
    "rows": {"narrow": {"model.hidden": 3}, "wide": {"model.hidden": 5}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with two studies, of one of which it is known how long it takes."""
    sweeps = tmp_path / "sweeps"
    sweeps.mkdir()
    (sweeps / "first.yaml").write_text(yaml.safe_dump(ROWS))
    overrides = {**ROWS["overrides"], "data.grid_size": 6}
    (sweeps / "second.yaml").write_text(yaml.safe_dump({**ROWS, "overrides": overrides}))
    definition = read_definition(sweeps / "first.yaml")
    digests = settings_digests(definition)
    kept = [Measurement(row, 0, digest, {}, 60.0, "", "2026-01-31", "", "") for row, digest in digests.items()]
    write_measurements(sweeps / "measured" / "first.csv", kept)
    monkeypatch.setenv("LIT_ANNDL_STORAGE", f"sqlite:///{tmp_path / 'optuna.db'}")
    monkeypatch.setattr(library, "project", lambda: tmp_path)
    return sweeps


@pytest.fixture
def course(folder, capsys):
    def run(*options: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = sweep.main([str(folder / "first.yaml"), str(folder / "second.yaml"), *options])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def test_studies_run_one_after_another_and_are_not_run_again(course, folder):
    code, out, err = course()
    assert (code, err) == (0, "")
    assert out[0] == (
        "2 studies: 0 complete, 2 to go, about 2 minutes by what was measured before; how long is not known of second"
    )
    assert "first (1 of 2): 2 runs, about 2 minutes" in out and "second (2 of 2): 2 runs" in out
    assert "study second: 2 of 2 trials complete" in out
    assert course() == (0, ["2 studies: 2 complete, 0 to go"], "")
    code, out, _ = course("--seeds", "[0, 1]")
    assert out[0].startswith("2 studies: 0 complete, 2 to go, about 2 minutes") and code == 0
    assert "first (1 of 2): 2 runs, about 2 minutes" in out


def test_a_study_that_fails_does_not_keep_the_others(course, folder):
    rows = {"diverging": {"model.optimizer": "SGD", "model.optimizer.lr": 1e30}}
    (folder / "first.yaml").write_text(yaml.safe_dump({**ROWS, "rows": rows}))
    (folder / "measured" / "first.csv").unlink()
    code, out, err = course()
    assert code == 1 and "study second: 2 of 2 trials complete" in out
    assert err.splitlines() == ["sweep: no trial is complete", "sweep: studies that were not completed: first"]
    code, out, again = course()  # the row is tried once more
    assert (code, out[0], again) == (1, "2 studies: 1 complete, 1 to go; how long is not known of first", err)


def test_a_study_that_has_become_another_is_not_passed_over(course, folder):
    assert course()[0] == 0
    rows = {"narrow": {"model.hidden": 4}, "wide": {"model.hidden": 5}}
    (folder / "first.yaml").write_text(yaml.safe_dump({**ROWS, "rows": rows}))
    code, out, err = course()
    assert code == 1 and out[0].startswith("2 studies: 1 complete, 1 to go")
    assert err.splitlines()[0].startswith("sweep: study first was begun with another rows.narrow")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("second", "rows: [", "is not valid YAML"),
        ("second", json.dumps({**ROWS, "metric": "test/mes"}), "there is no test/mes"),
        ("second", json.dumps({**ROWS, "exercise": "surfce"}), "exercise: there is no surfce; did you mean surface?"),
        ("second", json.dumps({**ROWS, "name": "first"}), "several studies were given that have one name"),
    ],
)
def test_all_files_are_read_before_one_begins(name, content, message, course, folder, tmp_path):
    (folder / f"{name}.yaml").write_text(content)
    code, out, err = course()
    assert (code, out) == (2, []) and message in err and err.count("\n") == 1
    assert not (tmp_path / "optuna.db").exists()


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (780, "13 minutes"), (18720, "5.2 hours")])
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words
