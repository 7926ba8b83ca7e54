"""What all commands have in common: exit codes, one line for each end, silence where nobody reads."""

import os
import signal
import subprocess
import sys
from importlib import import_module

import pytest

from lit_anndl.runtime.command import run_command
from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import Interruption
from tests.support.refusals import assert_refused

COMMANDS = ("fit", "sweep", "ui", "deliver", "report")


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (InputError("2 was given, expected 3"), 2),
        (RunFailure("it broke"), 1),
        (Interruption(signal.SIGINT), 130),
        (Interruption(signal.SIGTERM), 143),
    ],
)
def test_each_end_has_its_exit_code_and_a_line(ending, code, capsys):
    def work() -> int:
        raise ending

    assert run_command("try", work) == code
    assert capsys.readouterr().err == f"try: {ending}\n"
    assert run_command("try", work, lambda _: "") == code
    assert capsys.readouterr().err == ""


def test_work_that_is_done_ends_as_it_says(capsys):
    assert [run_command("try", lambda code=code: code) for code in (0, 1)] == [0, 1]
    assert capsys.readouterr() == ("", "")


def test_a_connection_that_breaks_is_no_reader_that_has_gone():
    def work() -> int:
        raise BrokenPipeError("a socket")

    with pytest.raises(BrokenPipeError):
        run_command("try", work)


@pytest.mark.parametrize("words", [["fit", "--list"], ["sweep", "--help"]])
@pytest.mark.parametrize("buffering", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_output_that_nobody_reads_ends_the_command_silently(words, buffering):
    reading, writing = os.pipe()
    os.close(reading)
    name, *rest = words
    command = [sys.executable, *buffering, "-m", f"lit_anndl.{name}", *rest]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_command_without_output_ends_as_with_it():
    command = [sys.executable, "-m", "lit_anndl.fit", "--list"]
    done = subprocess.run(command, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ui", "--port", "abc"], "--port: abc was given, expected a whole number from 1 to 65535"),
        (["ui", "--port", "65536"], "--port: 65536 was given, expected"),
        (["ui", "--port"], "--port: expected one argument"),
        (["ui", "--prot", "3"], "--prot: not expected here; did you mean --port?"),
        (["report", "--chek"], "--chek: not expected here; did you mean --check?"),
        (["deliver", "everything"], "everything: not expected here; there are -h, --help"),
        (["sweep", "--trials", "3"], "the study file comes first, before --trials"),
        (["sweep", "--status"], "expected --status STUDY"),
        (["fit", "--trainer.max_epochs", "3"], "the exercise comes first, before --trainer.max_epochs"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_wrong_words_get_one_line(words, message, capsys):
    name, *rest = words
    code = import_module(f"lit_anndl.{name}").main(rest)
    assert_refused((code, *capsys.readouterr()), message, name=name)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name, capsys):
    try:
        code = import_module(f"lit_anndl.{name}").main(["--help"])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, err) == (0, "") and f"python -m lit_anndl.{name}" in out
