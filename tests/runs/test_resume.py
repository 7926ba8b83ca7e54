"""Going on with a run: what it is tied to, and what is refused."""

import os
import pickle
import signal
from pathlib import Path

import pytest
import torch

from tests.support.interrupted import LONG, begin
from tests.support.processes import checkpoint, training_history, wait_until


def test_the_last_checkpoint_is_the_last_though_nothing_improves(store, observer):
    worst = ["--checkpoint.mode", "max", "--checkpoint.every_n_epochs", "1"]
    process, run_id = begin(store, observer, *LONG, *worst)
    wait_until(lambda: observer.get_run(run_id).data.metrics.get("train/mse"))  # sent after some seconds
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert torch.load(checkpoint(observer.get_run(run_id)), weights_only=True)["epoch"] > 3


def test_max_epochs_may_grow(command):
    short = command.run("surface", "--trainer.max_epochs", "3")
    grown = command.run("surface", "--resume", short.info.run_id, "--trainer.max_epochs", "6")
    whole = command.run("surface", "--trainer.max_epochs", "6")
    assert grown.info.run_id == short.info.run_id
    histories = [training_history(command.client, run.info.run_id)["train/mse"] for run in (grown, whole)]
    assert histories[0] == histories[1]
    assert [epoch for epoch, _ in histories[0]] == list(range(6))
    for name, value in whole.data.metrics.items():
        assert name.startswith("seconds/") or grown.data.metrics[name] == value, name
    assert grown.data.metrics["seconds/fit"] > short.data.metrics["seconds/fit"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hidden", "9"], "model.hidden: a resumed run keeps its 50, 9 was given"),
        (["--model.optimizer", "SGD"], "model.optimizer: a resumed run keeps its Adam"),
        (["--trainer.max_epochs", "2"], "trainer.max_epochs: a resumed run keeps its 3, 2 was given"),
        ([], "is finished; to train longer, give a larger --trainer.max_epochs"),
    ],
)
def test_a_resumed_run_keeps_its_settings(words, message, command):
    run = command.run("surface", "--trainer.max_epochs", "3")
    command.refuses("surface", "--resume", run.info.run_id, *words, says=message)
    assert command.client.get_run(run.info.run_id).info.status == "FINISHED"


def test_resuming_what_cannot_be_resumed(command):
    command.refuses("surface", "--resume", "0" * 32, says=f"there is no run {'0' * 32}")
    run = command.run("surface", "--trainer.max_epochs", "1")
    code, _, err = command("mnist_cnn", "--resume", run.info.run_id)
    assert code == 2 and "is a run of surface, not of mnist_cnn" in err


class Malice:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def damage(path: Path, how: str, folder: Path) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "malicious":
        torch.save({"exercise": "surface", "payload": Malice(folder / "executed")}, path)
    elif how == "a bare pickle":
        path.write_bytes(pickle.dumps(Malice(folder / "executed")))
    elif how == "a list":
        torch.save([1], path)
    elif how == "of another exercise":
        torch.save({**torch.load(path, weights_only=True), "exercise": "mnist_cnn"}, path)
    elif how == "of another network":
        state = {name: value[..., :2] for name, value in torch.load(path, weights_only=True)["state_dict"].items()}
        torch.save({**torch.load(path, weights_only=True), "state_dict": state}, path)
    else:
        path.unlink()


DAMAGES = [
    *("truncated", "altered", "malicious", "a bare pickle", "a list", "of another exercise", "of another network"),
    "gone",
]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_bad_checkpoint_is_refused(how, command, tmp_path):
    run = command.run("surface", "--trainer.max_epochs", "3")
    damage(checkpoint(run), how, tmp_path)
    command.refuses("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "5", says=str(checkpoint(run)))
    assert not (tmp_path / "executed").exists()
    assert command.client.get_run(run.info.run_id).info.status == "FINISHED"
