"""What the command `fit` says of itself: exercises, their settings, their configurations."""

import subprocess
import sys

import pytest
import yaml

from lit_anndl.config import presets


@pytest.mark.parametrize("words", [["--list"], ["--help"], []])
def test_listing_needs_no_torch(words):
    code = f"import sys; from lit_anndl.fit import main; c = main({words}); print('torch' in sys.modules); sys.exit(c)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert all(name in done.stdout for name in presets.names())


def test_exercises_are_listed_by_session_with_their_presets_first_comment(command):
    _, out, _ = command("--list")
    groups = [group.splitlines() for group in out.split("\n\n")]
    assert [title[:10] for title, *_ in groups] == [f"Session {number}:" for number in range(1, len(groups) + 1)]
    listed = [line.split(maxsplit=1) for _, *lines in groups for line in lines]
    assert sorted(name for name, _ in listed) == presets.names()
    for name, summary in listed:
        assert presets.preset(name).read_text().startswith(f"# {summary.strip()}\n")


def test_print_config_is_a_config(command, tmp_path):
    code, out, _ = command("surface", "--print_config", "--model.hidden", "9")
    assert code == 0
    assert yaml.safe_load(out)["model"]["init_args"]["hidden"] == 9
    (tmp_path / "printed.yaml").write_text(out)
    run = command.run("surface", "--config", str(tmp_path / "printed.yaml"), "--trainer.max_epochs", "1")
    assert run.data.params["model.hidden"] == "9"


def test_help_of_an_exercise_names_its_settings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = command("surface", "--help")
    assert code == 0
    for setting in ("--model.hidden 50", "--data.noise", "--trainer.max_epochs", "--model.optimizer.lr"):
        assert setting in out
    assert "units in each hidden layer" in out and "lit_anndl.fit surface --help=all" in out
    assert "val_check_interval" not in out and len(out.splitlines()) < 90


def test_help_on_everything(command):
    code, out, _ = command("surface", "--help=all")
    assert code == 0
    for setting in ("hidden", "noise", "--trainer.val_check_interval", "--checkpoint.every_n_epochs"):
        assert setting in out
