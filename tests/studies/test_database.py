"""Storages that cannot be used, and what is broken in them, as a user meets them."""

import signal

import pytest
from optuna.exceptions import StorageInternalError

from lit_anndl.runtime.interruption import Interruption
from lit_anndl.studies.database import DatabaseLost, StudyDatabase, retry
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "this is no address; expected sqlite:///FILE or postgresql://"),
        ("hush", "this is no address"),
        ("mysql://me:hush@host/studies", "mysql://me:***@host/studies: expected sqlite:///FILE or postgresql://"),
        ("postgresql://host:notaport/studies", "postgresql://…: the port is no number"),
        ("postgresql://me:hush@host:notaport/studies", "postgresql://…: the port is no number"),
        ("postgresql://me:h@hush@host/studies", "an @ in a password is written %40"),
        ("postgresql://me:hush@127.0.0.1:99999/studies", "me:***@127.0.0.1:99999/studies cannot be used: "),
        ("postgresql://127.0.0.1:1/studies?password=hush", "studies?password=*** cannot be used: "),
        ("sqlite://", "expected sqlite:///FILE"),
        ("sqlite:///", "expected sqlite:///FILE"),
        ("sqlite:///:memory:", "expected sqlite:///FILE"),
        ("sqlite:////does/not/exist/studies.db", "there is no folder /does/not"),
        ("sqlite:///{folder}", "expected a file, found a folder"),
        ("sqlite:///{folder}/studies.db?mode=ro", "expected sqlite:///FILE, and no options"),
        ("sqlite:///{folder}/small.yaml", "file is not a database"),
    ],
)
def test_wrong_addresses(address, message, study_file, run_sweep, tmp_path):
    file, address = study_file(), address.format(folder=tmp_path)
    for words in ([file], ["--status", "small"]):
        code, out, err = run_sweep(*words, "--storage", address)
        assert (code, out) == (2, "")
        assert message in err and err.startswith("sweep: storage") and err.count("\n") == 1
        assert "hush" not in err
    assert not (tmp_path / "optuna.db").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: [", "while parsing"),
        ("- surface", "found list"),
        ("", "found NoneType"),
        ("exercise: surface", "metric"),
        ("{exercise: surfac, metric: val/mse}", "did you mean surface?"),
        ("{exercise: surface, metric: val/mse, rows: {slow: 1}}", "rows: 1 was given"),
        ("{exercise: surface, metric: val/mse, space: {model.hidden: 3}}", "expected a list of choices"),
    ],
)
def test_broken_definitions(text, message, study_file, run_sweep, storage):
    file = study_file("broken")
    study = begin(read_definition(file), StudyDatabase(storage)).study
    study.set_user_attr("definition", text)
    before = study.user_attrs
    for words in (["--status", "broken"], [file]):
        code, out, err = run_sweep(*words)
        assert (code, out) == (2, "")
        assert message in err and err.startswith("sweep: study broken in sqlite:///") and err.count("\n") == 1
    assert study.user_attrs == before
    assert not study.trials


def test_patience_has_an_end():
    def fail() -> None:
        raise StorageInternalError("An exception is raised during the commit.") from OSError("the disk is full")

    with pytest.raises(DatabaseLost, match="the study's database is away: the disk is full"):
        retry(fail, 0.1)


def test_a_signal_that_an_error_of_the_driver_hides_is_heard():
    def interrupted() -> None:
        try:
            raise Interruption(signal.SIGUSR2)
        except Interruption:
            try:
                raise OSError("the statement was broken off")  # as the driver cleans up
            except OSError as error:
                raise StorageInternalError("An exception is raised during the commit.") from error

    with pytest.raises(Interruption):
        retry(interrupted, 30)


def test_what_is_done_because_of_a_signal_is_tried_again():
    failures = [1]

    def fail_once() -> str:
        if failures:
            raise StorageInternalError(str(failures.pop()))
        return "put back"

    try:
        raise Interruption(signal.SIGTERM)
    except Interruption:
        assert retry(fail_once, 30) == "put back"
