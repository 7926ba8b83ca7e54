"""Studies whose rows are of different exercises."""

from copy import deepcopy

import pytest
import yaml

from lit_anndl import report
from lit_anndl.reports import library
from lit_anndl.studies.best_settings import fit_command, fit_file
from lit_anndl.studies.study_file import parse_definition
from lit_anndl.tracking.store import TrackingStore
from tests.support.refusals import assert_refused

TWO = {
    "exercise": "gan",
    "metric": "quality/fid",
    "seeds": [0],
    "overrides": {"trainer.max_epochs": 1, "model.latent": 3, "model.quality_samples": 60, "data.batch_size": 100},
    "rows": {
        "gan": {"model.nets.hidden": [8], "data.steps_per_execution": 2},
        "vae": {"exercise": "vae", "model.hidden": [8]},
    },
    "gallery": ["samples"],
    "question": "Which one?",
    "sources": {"A": "a report"},
    "claims": {
        "quality": {
            "criterion": {"quality/fid": "at most 1 times quality/fid_floor"},
            "shown": ["quality/classes"],
            "reason": "as good: as real images.",
            "ticks": {"A": {"gan": True, "vae": False}},
        },
        "encoder": {"criterion": {"latent/mse": "below 1"}, "ticks": {"A": {"gan": "n/a", "vae": "?"}}},
    },
}


def claim(criterion, metric="quality/fid", **others):
    return {"claims": {"a": {"criterion": {metric: criterion}, **others}}}


def study(**changes):
    return parse_definition(deepcopy({"name": "two", **TWO, **changes}))  # which the parser writes to


def test_a_row_is_run_as_its_own_exercise():
    definition = study()
    assert definition.exercises == ["gan", "vae"]
    row = definition.table["vae"]
    assert fit_command(definition, row).startswith("python -m lit_anndl.fit vae --trainer.max_epochs=1")
    assert "exercise" not in fit_command(definition, row) and "exercise" not in yaml.safe_load(
        fit_file(definition, row)
    )
    assert "exercise" not in {*definition.varied, *definition.varied_anywhere}


def test_from_two_exercises_to_one_table(study_file, run_sweep, client, tmp_path, monkeypatch, capsys, digits):
    overrides = {**TWO["overrides"], "data.directory": str(digits)}
    entries = {"trials": None, "sampler": None, "space": None, **TWO, "overrides": overrides}
    file = study_file("two", **entries)
    code, out, err = run_sweep(file)
    assert (code, err) == (0, "") and "2 of 2 trials complete" in out
    for exercise in ("gan", "vae"):
        (run,) = client.search_runs([client.get_experiment_by_name(exercise).experiment_id], "tags.row != ''")
        assert run.data.tags["row"] == run.data.tags["exercise"] == exercise
    assert TrackingStore().experiment_of_study("two") == client.get_experiment_by_name("gan").experiment_id
    (tmp_path / "sweeps").mkdir()
    file.rename(tmp_path / "sweeps" / "two.yaml")
    monkeypatch.setattr(library, "project", lambda: tmp_path)
    assert report.main(["two", "--output", str(tmp_path / "pages")]) == 0
    text = (tmp_path / "pages" / "report.md").read_text()
    assert "`gan`, `vae`, trainer.max_epochs 1" in text
    (quality,) = [line for line in text.splitlines() if line.startswith("| **quality**")]
    assert "**no** · A: yes, contradicts<br>fid " in quality and "**no** · A: no, agrees<br>fid " in quality
    (encoder,) = [line for line in text.splitlines() if line.startswith("| **encoder**")]
    assert "**n/a** · A: n/a, agrees" in encoder and "A: ?, undecided<br>mse 0." in encoder
    assert "- quality: as good: as real images." in text
    assert "- Of what A says: 2 agree, 1 contradicts, 1 undecided." in text
    html = (tmp_path / "pages" / "index.html").read_text()
    assert html.count('class="claims"') == 1 and 'class="contradicts"' in html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": {"gan": {}, "vae": {"exercise": "vea"}}}, "rows: vae: exercise: there is no vea; did you mean vae?"),
        ({"rows": {"gan": {}, "a": {"exercise": "surface"}}}, "metric: exercise surface: there is no quality/fid;"),
        ({"rows": {"gan": {}, "vae": {"exercise": "vae", "model.loss": "minimax"}}}, "model.loss"),
        ({"overrides": {"exercise": "vae"}}, "exercise: expected it of the study, or of single rows"),
        ({"published": {"gan": {"latent/mse": {"A": 1}}}}, "published: gan: there is no latent/mse"),
        ({"columns": {"GAN": ["gna"]}}, "columns: GAN: there is no row gna"),
        ({"claims": {"a": {}}}, "claims: a: criterion: expected conditions by metric"),
        ({"claims": {"a": {"criteria": {}}}}, "did you mean criterion?"),
        (claim("under 3"), "quality/fid: under 3 was given, expected at least"),
        (claim("below 3 times x"), "claims: a: there is no x"),
        (claim("below 3", metric="quality/fdi"), "claims: a: there is no quality/fdi; did you mean"),
        (claim("below 3", share=2), "share: 2 was given"),
        (claim("below 3", share="most"), "share: most was given, expected a number"),
        (claim("below 3", reason=["it is"]), "reason: ['it is'] was given, expected text"),
        (claim("below 3", ticks={"B": {}}), "B is none of the sources (A)"),
        (claim("below 3", ticks={"A": {"gna": True}}), "no column gna"),
        (claim("below 3", ticks={"A": {"gan": "maybe"}}), "maybe was given, expected yes, no, ? or n/a"),
    ],
)
def test_wrong_input(changes, message, study_file, run_sweep, tmp_path):
    entries = {"trials": None, "sampler": None, "space": None, **TWO, "claims": {}, **changes}
    assert_refused(run_sweep(study_file(**entries)), message, name="sweep")
    assert not (tmp_path / "optuna.db").exists()
