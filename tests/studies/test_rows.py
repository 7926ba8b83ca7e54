"""The rows of a study side by side, through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_anndl.runtime.errors import Unreachable
from lit_anndl.studies import row_records
from tests.studies.conftest import SMALL
from tests.support.refusals import assert_refused

TABLE = {
    **SMALL,
    "overrides": {"trainer.max_epochs": 6, "data.grid_size": 10, "data.validation_size": 20},
    "metric": "test/mse",
    "seeds": [0, 1, 2],
    "trials": None,
    "sampler": None,
    "space": None,
    "rows": {
        "slow": {"model.optimizer.lr": 0.0001, "data.noise": 0.1},
        "fast": {"model.optimizer.lr": 0.03, "data.noise": 0.1},
        "clean": {"model.optimizer.lr": 0.03, "data.noise": 0},
    },
}


class StudyRun:
    """What a study has left on its parent run."""

    def __init__(self, client, study, folder: Path) -> None:
        self.client, self.run_id, self.folder = client, study.user_attrs["mlflow_run"], folder

    def table(self, name: str) -> list[dict[str, object]]:
        path = self.client.download_artifacts(self.run_id, f"tables/{name}.json", str(self.folder))
        content = json.loads(Path(path).read_text())
        return [dict(zip(content["columns"], line, strict=True)) for line in content["data"]]

    def figures(self) -> set[str]:
        return {item.path.rpartition("/")[2] for item in self.client.list_artifacts(self.run_id, "figures")}

    def picture(self, name: str) -> Image.Image:
        return Image.open(self.client.download_artifacts(self.run_id, f"figures/{name}", str(self.folder)))


@pytest.fixture
def parent(client, storage, load_study, tmp_path):
    def find(name: str) -> StudyRun:
        return StudyRun(client, load_study(name, storage), tmp_path)

    return find


def test_curves_convergence_and_gallery(study_file, run_sweep, client, load_study, storage, parent, caplog):
    shown = {"facet": ["data.noise"], "gallery": ["surfaces", "squared_residuals"]}
    shown |= {"costs": ["parameters", "seconds/fit"], "overlays": ["parameters"]}
    file = study_file("shown", **TABLE, **shown, thresholds={"train/mse": [0.05, 0.0001]})
    code, _, err = run_sweep(file)
    assert (code, err) == (0, "")
    result = parent("shown")
    curves = {"curves_train_mse.png", "curves_val_mse.png"}
    assert result.figures() == {"rows.png", "costs.png", "convergence_train_mse.png", "gallery.png", *curves}
    assert "has no table parameters of two or three columns of numbers" in caplog.text
    assert result.picture("gallery.png").height > 3 * result.picture("gallery.png").width / 8  # three lines of pictures
    lines = {(line["below"], line["row"]): line for line in result.table("convergence_train_mse")}
    assert set(lines) == {(t, row) for t in (0.05, 0.0001) for row in TABLE["rows"]}
    assert all(line["seeds"] == 3 for line in lines.values())
    assert {line["epochs"] for (threshold, _), line in lines.items() if threshold == 0.0001} == {"never"}
    assert lines[0.05, "slow"]["reached"] == 0 and lines[0.05, "slow"]["place by epochs"] is None
    study = load_study("shown", storage)
    for row in ("fast", "clean"):  # as the runs' own curves say
        (trial,) = [trial for trial in study.trials if trial.user_attrs["row"] == row]
        histories = [client.get_metric_history(run, "train/mse") for run in trial.user_attrs["runs"].values()]
        last_above = [max((m.step for m in history if m.value >= 0.05), default=-1) for history in histories]
        assert lines[0.05, row]["reached"] == sum(epoch < 5 for epoch in last_above)


def test_how_a_study_is_shown_may_change(study_file, run_sweep, parent):
    assert run_sweep(study_file("changing", **TABLE))[0] == 0
    before = parent("changing").figures()
    assert "gallery.png" not in before
    code, _, err = run_sweep(study_file("changing", **TABLE, gallery=["curves"]))
    assert (code, err) == (0, "")
    assert parent("changing").figures() == before | {"gallery.png"}


@pytest.mark.parametrize("gone", [["0"], ["0", "1", "2"]])
def test_runs_that_are_gone_are_left_out(gone, study_file, run_sweep, client, load_study, storage, parent, caplog):
    assert run_sweep(study_file("gone", **TABLE))[0] == 0
    trial = load_study("gone", storage).trials[0]
    for seed in gone:
        client.delete_run(trial.user_attrs["runs"][seed])
    code, _, err = run_sweep(study_file("gone", **TABLE, gallery=["curves", "curvs"], thresholds={"train/mse": [1]}))
    assert code == 0, err
    assert "row slow: its curves lack a run" in caplog.text
    assert "row fast has no figure curvs, but curves, squared_residuals, surfaces" in caplog.text
    seeds = {line["row"]: line["seeds"] for line in parent("gone").table("convergence_train_mse")}
    assert seeds == {**({"slow": 2} if len(gone) == 1 else {}), "fast": 3, "clean": 3}


def test_what_a_store_that_is_away_costs_comes_with_the_next_command(study_file, run_sweep, parent, monkeypatch):
    def away(*_):
        raise Unreachable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(row_records, "read_record", away)
        code, _, _ = run_sweep(study_file("away", **TABLE))
    assert code == 0
    assert [line["row"] for line in parent("away").table("rows")] == list(TABLE["rows"])
    assert parent("away").figures() == set()
    assert run_sweep(study_file("away", **TABLE))[0] == 0
    assert "curves_train_mse.png" in parent("away").figures()


def test_a_metric_that_a_run_has_not(study_file, run_sweep):
    """Without noise there is no ratio of signal to noise: that row fails, the others have it."""
    code, out, _ = run_sweep(study_file("without", **{**TABLE, "metric": "noise/snr", "seeds": [0]}))
    assert code == 0
    assert "clean  failed: RunFailure: the run with seed 0 measured no noise/snr" in out
    assert "study without: 2 of 3 trials complete" in out


def test_tables_hold_median_and_range_of_everything(study_file, run_sweep, client, load_study, storage, parent):
    assert run_sweep(study_file("table", **TABLE))[0] == 0
    lines = {line["row"]: line for line in parent("table").table("rows")}
    assert list(lines) == list(TABLE["rows"])
    for trial in load_study("table", storage).trials:
        runs = [client.get_run(run) for run in trial.user_attrs["runs"].values()]
        for name in ("test/mse", "final/gap", "noise/snr", "bytes/optimizer"):
            values = [run.data.metrics[name] for run in runs if name in run.data.metrics]
            shown = str(lines[trial.user_attrs["row"]][name])
            assert bool(values) == bool(shown)
            if values:
                assert float(shown.split()[0]) == pytest.approx(np.median(values), rel=1e-4)


def test_lists_are_choices(study_file, run_sweep, load_study, storage):
    code, _, err = run_sweep(study_file("lists", space={"model.hidden": [[3], [4, 4]]}, sampler="grid", trials=None))
    assert (code, err) == (0, "")
    assert [trial.params["model.hidden"] for trial in load_study("lists", storage).trials] == ["[3]", "[4, 4]"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"facet": ["model.hiden"]}, "facet: model.hiden"),
        ({"facet": ["data.noise", "model.hidden"]}, "facet: model.hidden"),
        ({"thresholds": {"train/mae": [1]}}, "did you mean train/mse?"),
        ({"thresholds": {"test/mse": [1]}}, "thresholds: there is no test/mse"),
        ({"thresholds": {"train/mse": []}}, "thresholds: train/mse"),
        ({"thresholds": {"train/mse": "low"}}, "thresholds"),
        ({"gallery": "surfaces"}, "gallery"),
        ({"costs": ["parameter"]}, "costs: there is no parameter; did you mean parameters?"),
        ({**SMALL, "gallery": ["surfaces"], "rows": None}, "gallery: it shows rows side by side"),
    ],
)
def test_wrong_presentations(entries, message, study_file, run_sweep):
    assert_refused(run_sweep(study_file(**{**TABLE, **entries})), message, name="sweep")


def test_tables_of_runs_over_each_other(study_file, run_sweep, parent, caplog):
    entries = {
        "exercise": "santafe_baseline",
        "overrides": {"data.train_size": 300, "data.lag": 5},
        "seeds": [0, 1],
        "rows": {"mean": {"model.method": "mean"}, "linear": {"model.method": "linear"}},
    }
    code, _, _ = run_sweep(study_file("forecasts", **{**TABLE, **entries}, overlays=["forecast", "nothing", "elapsed"]))
    assert code == 0
    assert parent("forecasts").figures() >= {"rows.png", "overlay_forecast.png", "overlay_elapsed.png"}
    assert "has no table nothing" in caplog.text
    picture = parent("forecasts").picture("overlay_forecast.png")
    assert picture.height > picture.width / 3  # an axes for each row
    assert run_sweep("forecasts", "--overlays_together", "true")[0] == 0
    together = parent("forecasts").picture("overlay_forecast.png")
    assert together.height < picture.height
