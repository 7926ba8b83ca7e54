"""What who sits at a terminal sees, and who reads a log."""

import base64
import json
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from lit_anndl.callbacks import progress
from lit_anndl.studies import status_line
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition
from tests.support.processes import FIT

SECONDS = 90
LINES = ["surface", "--data.grid_size", "5", "--trainer.max_epochs"]


class Terminal:
    """A command at a terminal of its own, and what is on its screen."""

    def __init__(self, *command: str) -> None:
        self.screen, self.other_end = pty.openpty()
        termios.tcsetwinsize(self.screen, (24, 100))
        self.process = subprocess.Popen(command, stdout=self.other_end, stderr=self.other_end, start_new_session=True)
        os.close(self.other_end)
        self.text = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.text += os.read(self.screen, 4096).decode(errors="replace")
            except OSError:  # the command has ended
                return

    def wait_for(self, pattern: str) -> None:
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.text):
            assert time.monotonic() < end and self.reader.is_alive(), self.text
            time.sleep(0.02)

    def end(self) -> int:
        code = self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        return code

    def close(self) -> None:
        """Leaves nothing behind."""
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal(*FIT, "surface", "--trainer.max_epochs", "100000")
    yield opened
    opened.close()


def test_a_terminal_is_told_what_runs_how_far_it_is_and_that_a_signal_was_heard(terminal, client):
    terminal.wait_for(r"[1-9]\d*\.\d/100000 epochs \[")  # the bar shows before the first epoch, which ends at once
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("interrupted by SIGINT; the epoch is finished first, once more ends it now")
    assert terminal.end() == 130
    run_id = re.findall(r"training begins with epoch 1 of 100000 \(run ([0-9a-f]{32})\)", terminal.text)
    assert len(run_id) == 1
    assert terminal.text.index("surface") < terminal.text.index("training begins") < terminal.text.index("epochs [")
    assert f"go on with: python -m lit_anndl.fit surface --resume {run_id[0]}" in terminal.text.splitlines()[-1]
    assert client.get_run(run_id[0]).info.status == "KILLED"


def test_a_log_gets_a_line_now_and_then(command, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    code, out, err = command(*LINES, "2", "--checkpoint.every_n_epochs", "1")
    assert (code, err) == (0, "")
    first, second = [line for line in out.splitlines() if line.startswith("epoch ")]
    (run_id,) = [line.split()[1] for line in out.splitlines() if line.startswith("run ")]
    assert re.fullmatch(rf"epoch 1\.0 of 2, \d+ s left, run {run_id}", first)
    assert re.fullmatch(rf"epoch 2\.0 of 2, train/mse \S+, 0 s left, run {run_id}", second)
    _, out, _ = command("surface", "--resume", run_id, "--trainer.max_epochs", "3")
    (line,) = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert line.startswith("epoch 3.0 of 3")


def test_a_log_of_a_short_run_has_results_alone(command):
    code, out, _ = command(*LINES, "2")
    assert code == 0 and not [line for line in out.splitlines() if line.startswith("epoch ")]


def test_the_bar_of_a_study_counts_runs(tmp_path, monkeypatch, client):
    (tmp_path / "bar.yaml").write_text(
        "exercise: surface\nmetric: test/mse\nseeds: [0, 1, 2]\nrows: {a: {model.hidden: 3}, b: {model.hidden: 5}}\n"
    )
    opened = begin(read_definition(tmp_path / "bar.yaml"), StudyDatabase(f"sqlite:///{tmp_path}/optuna.db"))
    first, second = (opened.study.ask() for _ in "ab")
    for trial, seeds in ((first, "012"), (second, "0")):
        trial.set_user_attr("metrics", {seed: {"test/mse": 0.5} for seed in seeds})
    opened.study.tell(first, 0.5)
    bars = []
    honest = status_line.tqdm
    monkeypatch.setattr(status_line, "tqdm", lambda **options: bars.append(honest(**options)) or bars[0])
    monkeypatch.setattr(status_line, "REFRESH_SECONDS", 0.01)
    done = threading.Event()
    thread = threading.Thread(target=status_line.show, args=(opened, done))
    thread.start()
    end = time.monotonic() + SECONDS
    while not (bars and bars[0].n) and time.monotonic() < end:
        time.sleep(0.01)
    done.set()
    thread.join(SECONDS)
    assert (bars[0].n, bars[0].total, bars[0].unit) == (4, 6, "run")


@pytest.mark.parametrize(
    ("early", "view"),
    [
        ({}, "val/mse"),
        ({"early_stopping.patience": 3}, "best/val/mse"),
        ({"early_stopping.patience": None}, "val/mse"),
    ],
    ids=["whole", "early", "turned off"],
)
def test_studies_are_listed_by_the_weights_that_were_tested(early, view, tmp_path, client):
    (tmp_path / "listed.yaml").write_text(
        "exercise: surface\nmetric: val/mse\noverrides: {data.validation_size: 20, trainer.max_epochs: 2}\n"
        f"rows: {json.dumps({'a': early})}\n"
    )
    definition = read_definition(tmp_path / "listed.yaml")
    assert definition.stops_early == view.startswith("best/")
    opened = begin(definition, StudyDatabase(f"sqlite:///{tmp_path}/optuna.db"))
    experiment = client.get_run(opened.parent.run_id).info.experiment_id
    tag = client.get_experiment(experiment).tags["mlflow.sharedViewState.listed"]
    assert json.loads(zlib.decompress(base64.b64decode(tag.removeprefix("deflate;"))))["orderByKey"] == (
        f"metrics.`{view}`"
    )
