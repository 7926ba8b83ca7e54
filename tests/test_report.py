"""The command `report`: pages from studies and measurements, and runs among what was published."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from lit_anndl import report, sweep
from lit_anndl.reports import library
from lit_anndl.reports.library import Library
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.study_file import read_definition
from tests.support.refusals import assert_refused

STUDY = {
    "exercise": "surface",
    "overrides": {"trainer.max_epochs": 2, "data.grid_size": 10},
    "metric": "test/mse",
    "seeds": [0, 1],
    "rows": {"narrow": {"model.hidden": 3}, "wide": {"model.hidden": 5}, "slip": {"model.hidden": 4}},
    "question": "Which width | which?",
    "shown": ["train/mse", "parameters"],
    "sources": {"A": "a report", "B": "another <report>"},
    "published": {
        "narrow": {"test/mse": {"A": 0.05, "B": 1e9}},
        "wide": {"test/mse": {"A": 1e-9}},
        "slip": {"train/mse": {"A": 0.5}},
    },
    "slips": {"slip": {"train/mse": {"A": "it is a misprint"}}},
    "remarks": {"wide": "wider than the other"},
    "headline": {"narrow": "test/mse"},
}
SEARCH = {
    "exercise": "surface",
    "metric": "val/mse",
    "space": {"model.hidden": [3, 5]},
    "sampler": "grid",
    "sources": {"A": "a report"},
    "published": {"best": {"test/mse": {"A": 9}}},
}
README = "# A project\n\n<!-- results -->\nold\n<!-- end of results -->\n\nThe end.\n"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with one study that has been run, and a README."""
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "reported.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    (tmp_path / "README.md").write_text(README)
    monkeypatch.setenv("LIT_ANNDL_STORAGE", f"sqlite:///{tmp_path / 'optuna.db'}")
    monkeypatch.setattr(library, "project", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def command(capsys):
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = report.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


class Addresses(HTMLParser):
    """All that a page refers to, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src", "srcset", "action"):
                self.found.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def test_from_an_empty_project_to_pages(project, command):
    output = project / "pages"
    code, out, err = command("--output", str(output))
    assert (code, err) == (0, "")
    assert out.startswith("1 study; published numbers: 0 inside, 0 outside, 1 slip, 3 not yet run\n")
    assert command("--check")[0] == 1  # there is no page yet
    assert sweep.main([str(project / "sweeps" / "reported.yaml")]) == 0

    code, out, err = command("--update", "--output", str(output))
    assert (code, err) == (0, "")
    assert out.startswith("measured anew: reported\n1 study; published numbers: ")
    assert "0 inside, 3 outside, 1 slip, 0 not yet run" in out
    (page,) = Library().pages()
    assert [(each.row, each.seed) for each in page.committed] == [
        (row, seed) for row in STUDY["rows"] for seed in (0, 1)
    ]
    assert page.committed == [each for each in page.committed if each.seconds > 0 and each.processor]
    assert command("--check") == (0, "", "")

    readme = (project / "README.md").read_text()
    assert readme.startswith("# A project\n\n<!-- results -->\n| study") and readme.endswith("-->\n\nThe end.\n")
    assert "| `reported`: narrow | test/mse | 0.05 (A), 1e+09 (B) | " in readme
    (project / "README.md").write_text(readme.replace("0.05 (A)", "0.06 (A)"))
    code, _, err = command("--check")
    assert (
        code == 1 and err == f"{project / 'README.md'} is stale; renew it with: python -m lit_anndl.report --update\n"
    )

    html = (output / "index.html").read_text()
    seen = Addresses()
    seen.feed(html)
    outside = [each for each in seen.found if not each.startswith(("#", "data:"))]
    assert not outside and not re.search(r"https?://|url\((?!'data:)", html)
    assert {each[1:] for each in seen.found if each.startswith("#")} <= set(seen.ids)
    assert "another &lt;report&gt;" in html and "<report>" not in html
    assert "it is a misprint" in html and "wider than the other" in html and "Which width | which?" in html
    assert len([each for each in seen.found if each.startswith("data:image/")]) >= 2
    markdown = (output / "report.md").read_text()
    assert "Which width \\| which?" in markdown and "| wide | parameters |  |  | 51 |" in markdown


def test_runs_with_settings_that_the_study_had_are_left_out(project, command, client, caplog):
    file = (project / "sweeps" / "reported.yaml").rename(project / "sweeps" / "aged.yaml")
    assert sweep.main([str(file)]) == 0
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.study = 'aged' and tags.row = 'wide'")
    assert {run.data.tags["settings"] for run in runs} == {settings_digests(read_definition(file))["wide"]}
    aged, unknown = sorted(runs, key=lambda run: run.data.params["seed_everything"])
    client.set_tag(aged.info.run_id, "settings", "those of a preset that has changed")
    client.delete_tag(unknown.info.run_id, "settings")
    assert command("--update")[0] == 0
    assert {each.row for each in Library().page("aged").committed} == {"narrow", "slip"}
    left_out = "runs of study aged: measured with other settings than the study has, so left out: "
    assert left_out + "wide (seed 0), wide (seed 1)" in caplog.messages


def test_a_run_of_ones_own_among_the_rows(project, command, client):
    file = (project / "sweeps" / "reported.yaml").rename(project / "sweeps" / "placed.yaml")  # a study of its own
    (project / "sweeps" / "searched.yaml").write_text(yaml.safe_dump(SEARCH))
    assert sweep.main([str(file)]) == 0
    assert command("--update")[0] == 0
    from lit_anndl import fit

    words = ["--trainer.max_epochs", "2", "--data.grid_size", "10", "--model.hidden", "5", "--seed_everything", "7"]
    assert fit.main(["surface", *words]) == 0
    experiment = client.get_experiment_by_name("surface").experiment_id
    run = client.search_runs([experiment], order_by=["attributes.start_time DESC"])[0]
    code, out, err = command(run.info.run_id)
    assert (code, err) == (0, "")
    block = out.split("\n\n")[0].splitlines()
    assert block[0] == "placed:" and block[1].split() == ["row", "test/mse", "A", "B"]
    (own,) = [line for line in block if "this run" in line]
    assert f"run {run.info.run_id}" in own and f"{run.data.metrics['test/mse']:.4g}" in own
    (same,) = [line for line in block if "its settings" in line]
    assert same.split()[0] == "wide" and "1e-09" in same
    assert next(line for line in block if line.startswith("  narrow")).endswith("← other model.hidden")
    values = [float(line.removeprefix(f"  run {run.info.run_id}").split()[0 if "this run" in line else 1].split("(")[0])
              for line in block[2:]]  # fmt: skip
    assert values == sorted(values)
    searched = out.split("\n\n")[-1].splitlines()
    assert searched[0] == "searched:" and searched[-1].split()[:2] == ["best", "9"]
    assert searched[-1].endswith("← what a search has found")


def test_a_run_that_has_not_been_finished_is_not_placed(project, command, client):
    run = client.create_run(client.create_experiment("unfinished"), tags={"exercise": "surface"})
    client.log_metric(run.info.run_id, "test/mse", 0.1)
    assert_refused(command(run.info.run_id), "is no finished run of an exercise", name="report")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reportde"], "there is no study reportde in"),
        (["0" * 32], "there is no run"),
        (["reported", "--output", "{file}/below"], "cannot be written"),
    ],
)
def test_wrong_words(words, message, project, command):
    (project / "file").touch()
    assert_refused(command(*[word.format(file=project / "file") for word in words]), message, name="report")


def test_measurements_that_do_not_fit(project, command):
    (project / "sweeps" / "measured").mkdir()
    (project / "sweeps" / "measured" / "reported.csv").write_text("row,seed\n")
    assert_refused(command(), "reported.csv: there is no column settings", name="report")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"published": {"broad": {"test/mse": {"A": 1}}}}, "published: there is no row broad"),
        (
            {"published": {"wide": {"test/mes": {"A": 1}}}},
            "published: wide: there is no test/mes; did you mean test/mse",
        ),
        ({"published": {"wide": {"test/mse": {"C": 1}}}}, "published: wide: test/mse: C is none of the sources (A, B)"),
        ({"published": {"wide": {"test/mse": {"A": "much"}}}}, "much"),
        ({"slips": {"wide": {"test/mse": {"B": "why"}}}}, "slips: wide: test/mse: B has published no such number"),
        ({"remarks": {"wid": "why"}}, "remarks: there is no row wid; did you mean wide?"),
        ({"headline": {"wide": "test/ms"}}, "headline: wide: there is no test/ms"),
        ({"shown": ["test/ms"]}, "shown: there is no test/ms; did you mean test/mse?"),
    ],
)
def test_wrong_documentation(entry, message, project, command, capsys):
    file = project / "sweeps" / "reported.yaml"
    file.write_text(yaml.safe_dump({**STUDY, **entry}, sort_keys=False))
    assert_refused(command(), message, name="report")
    assert sweep.main([str(file)]) == 2
    assert message in capsys.readouterr().err


def test_the_pages_that_are_kept_are_what_their_data_give():
    assert Library().stale() == []
