"""The benchmark of a GPU, on the CPU."""

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from lit_anndl.runtime.terminal import quieten
from tests.support.forked import ForkedCommand

SCRIPTS = Path(__file__).parents[1] / "scripts"
STUDY = {
    "exercise": "surface",
    "overrides": {"trainer.max_epochs": 7, "data.grid_size": 5},
    "metric": "test/mse",
    "seeds": [0, 1],
    "rows": {"narrow": {"model.hidden": 3}},
}


@pytest.fixture(params=["benchmark_device"])
def script(request, monkeypatch) -> ModuleType:
    """A module of the scripts' folder."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module(request.param)


def test_everything_but_workers(script, digits, tmp_path, monkeypatch, capsys):
    file = tmp_path / "optimizers.yaml"
    file.write_text(yaml.safe_dump(STUDY))
    monkeypatch.setattr(script, "throughput", lambda *given: print("throughput", *given))
    words = ["--data.directory", str(digits), "--data.batch_size", "36"]
    quieten()  # as the command does
    script.device(1, SCRIPTS, "cpu", script.Budget(words, 9, file, 2, (1, 2), 4, 3, 3, 1, 2))
    out = capsys.readouterr().out
    assert re.search(r"^mnist_cnn: \d+\.\d\d s, \d epochs, until 99 % of the validation images are right;", out, re.M)
    assert re.search(r"^study optimizers: .* 1 of 1 rows complete, 2 seeds each, 2 epochs of the study's 7$", out, re.M)
    assert "\nthroughput 4 (1, 2) 3 cpu\n3 rates of surface, ms" in out
    assert re.search(r"^optim2( +\d+\.\d\d){3}$", out, re.M)


def test_too_few_epochs_are_told(script, digits, capsys):
    quieten()
    script._digits(2, ["--data.directory", str(digits)], script.Budget(digit_epochs=1))
    told = "mnist_cnn: 2 of 2 fits take more than 1 epochs until 99 % of the validation images are right\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize("script", ["benchmark_sweep"], indirect=True)
def test_workers(script, make_store, monkeypatch, capsys):
    def stores(folder: Path) -> dict[str, str]:
        return {"MLFLOW_TRACKING_URI": make_store(folder), "LIT_ANNDL_STORAGE": f"sqlite:///{folder}/optuna.db"}

    def forked(command: list[str], env: dict[str, str], **_: object) -> None:
        assert ForkedCommand(*command[1:], environment=env).wait(240) == 0

    monkeypatch.setattr(script, "stores", stores)
    monkeypatch.setattr(script.subprocess, "run", forked)
    script.throughput(1, (1,), 1, "cpu")
    assert re.fullmatch(r"1 +\d+\.\d +\d+\.\d", capsys.readouterr().out.splitlines()[-1].strip())


def test_the_study_is_there(script):
    assert script.Budget().study.is_file()


@pytest.mark.parametrize("script", ["benchmark"], indirect=True)
@pytest.mark.parametrize(
    ("words", "expected"),
    [(["device", "--rounds", "2"], "2 cpu"), (["--device", "cuda"], "5 cuda")],
)
def test_the_command(script, words, expected, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *words])
    monkeypatch.setattr(script, "take_gpu", lambda: True)
    monkeypatch.setattr(script, "device", lambda rounds, _, accelerator: print(rounds, accelerator))
    script.main()
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize("script", ["benchmark"], indirect=True)
def test_without_a_gpu_there_is_one_line(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--device", "cuda"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit) as end:
        script.main()
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--device: cuda was given, expected cpu" in err
