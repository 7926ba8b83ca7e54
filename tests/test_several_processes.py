"""Runs on several processes, through the command: two ranks, gloo, a CPU."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from mlflow import MlflowClient
from torch import nn
from torch.optim import SGD

from lit_anndl.data.batches import TensorBatches
from lit_anndl.data.bootstrap import bootstrap
from lit_anndl.exercises.supervised.surface import Surface
from tests.support.processes import FIT, assert_equal_runs, checkpoint, finish, runs, training_history, wait_until

ON_CPU = ["--trainer.accelerator", "cpu"]
TWO = [*ON_CPU, "--trainer.devices", "2"]
SECONDS = 30
"""How long a group may take to end after a signal."""
WITNESS = """
import os, signal, time
from pathlib import Path
import torch
from lightning.pytorch import Callback

FOLDER = Path(os.environ["WITNESS"])

def once(name):
    wanted, done = FOLDER / name, FOLDER / f"{name}.done"
    return wanted.exists() and not done.exists() and not done.touch()

class Witness(Callback):
    "Keeps what each rank starts with and ends with; makes a rank fail or wait as it is told."

    def on_train_start(self, trainer, module):
        torch.save(torch.get_rng_state(), FOLDER / f"stream.{trainer.global_rank}")

    def on_train_epoch_start(self, trainer, module):
        if trainer.global_rank == 1 and trainer.current_epoch == 6:
            if once("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if once("fail"):
                raise RuntimeError("a cable was pulled")

    def on_test_batch_start(self, trainer, *_):
        if trainer.global_rank == 1 and once("stop"):
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(600)

    def on_train_end(self, trainer, module):
        torch.save(module.state_dict(), FOLDER / f"weights.{trainer.global_rank}")
"""


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A folder for what a callback of the command sees, and the callback."""
    (tmp_path / "witness.py").write_text(WITNESS)
    (tmp_path / "witness.yaml").write_text("trainer: {callbacks: [{class_path: witness.Witness}]}")
    return tmp_path


def watched(words: list[str], folder: Path, store: str) -> tuple[int, str, str]:
    """What a command with the callback returns and prints."""
    command = [words[0], "--config", str(folder / "witness.yaml"), *words[1:]]
    return finish(*command, store=store, WITNESS=str(folder), PYTHONPATH=str(folder))


def by_rank(folder: Path, name: str) -> list:
    return [torch.load(folder / f"{name}.{rank}", weights_only=True) for rank in (0, 1)]


def newest(client: MlflowClient, out: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith("run ")]
    run_id = line.split()[1]
    assert runs(client)[0].info.run_id == run_id  # there is one run, not one for each process
    return run_id


DOUBLE = ["--trainer.precision", "64-true"]
GRADIENT_DESCENT = ["--model.optimizer", "SGD", "--model.optimizer.lr", "0.05", "--model.optimizer.momentum", "0.9"]
SURFACE = [
    "surface",
    "--data.grid_size",
    "10",
    "--model.hidden",
    "8",
    "--trainer.max_epochs",
    "3",
    *DOUBLE,
    *GRADIENT_DESCENT,
]
BAGGING = ["--model.members", "2", "--data.resamples", "2", "--model.l2", "0.01"]
MNIST = ["mnist_cnn", "--model.dropout", "0", "--trainer.max_epochs", "2", *DOUBLE, *GRADIENT_DESCENT]
LBFGS = [
    *("personal_regression", "--data.train_size", "200", "--model.hidden", "[8]", "--trainer.max_epochs", "2"),
    *("--checkpoint.every_n_epochs", "1"),
]


@pytest.mark.parametrize(
    ("words", "batch", "tolerance"),
    [
        pytest.param([*SURFACE, *BAGGING], 10, 1e-9, id="surface"),  # 5 steps in one execution
        pytest.param([*MNIST, "--data.steps_per_execution", "4"], 20, 1e-9, id="mnist_cnn"),  # 9 steps in three
        pytest.param(LBFGS, 80, 1e-7, id="lbfgs"),  # 40 iterations in line searches, which magnify rounding
    ],
)
def test_two_ranks_equal_one_process_with_the_doubled_batch(
    words, batch, tolerance, command, client, store_uri, digits, witness
):
    words = [*words, *(["--data.directory", str(digits)] if words[0] == "mnist_cnn" else [])]
    code, out, err = watched([*words, *TWO, "--data.batch_size", str(batch)], witness, store_uri)
    assert (code, err) == (0, "")
    two = client.get_run(newest(client, out))
    one = command.run(*words, *ON_CPU, "--data.batch_size", str(2 * batch))
    ours, theirs = (torch.load(checkpoint(run), weights_only=True) for run in (two, one))
    assert ours["global_step"] == theirs["global_step"]
    torch.testing.assert_close(ours["state_dict"], theirs["state_dict"], rtol=tolerance, atol=tolerance)
    histories = [training_history(client, run.info.run_id) for run in (two, one)]
    assert histories[0].keys() == histories[1].keys()
    for name, history in histories[1].items():
        assert histories[0][name] == [(epoch, pytest.approx(value, rel=1e-4)) for epoch, value in history]
    first, second = by_rank(witness, "weights")
    assert all(torch.equal(first[name], second[name]) for name in first)  # bit for bit


DROPOUT = [
    *("surface", "--data.grid_size", "10", "--data.batch_size", "10", "--model.hidden", "8", *TWO),
    *("--model.dropout", "0.3", "--model.jitter", "0.1", "--model.batch_norm", "true"),
    *("--data.validation_size", "20", "--checkpoint.monitor", "val/mse", "--early_stopping.patience", "10"),
    *("--trainer.max_epochs", "10", "--checkpoint.every_n_epochs", "4"),
]


def test_killed_and_resumed_is_uninterrupted_and_ranks_draw_for_themselves(client, store_uri, witness):
    code, out, err = watched(DROPOUT, witness, store_uri)
    assert (code, err) == (0, "")
    reference, streams = newest(client, out), by_rank(witness, "stream")
    assert not torch.equal(*streams)
    (witness / "kill").touch()
    code, out, err = watched(DROPOUT, witness, store_uri)
    assert (code, out) == (1, "")
    killed = runs(client)[0]
    expected = "rank 1 of 2 processes was ended by SIGKILL"
    assert err == f"fit: {expected} (run {killed.info.run_id})\n"
    assert killed.info.status == "FAILED"
    assert torch.load(checkpoint(killed), weights_only=True)["epoch"] == 3
    assert all(torch.equal(*pair) for pair in zip(streams, by_rank(witness, "stream"), strict=True))
    resume = ["surface", "--resume", killed.info.run_id, "--config", str(witness / "witness.yaml")]
    code, _, err = finish(*resume, store=store_uri, WITNESS=str(witness), PYTHONPATH=str(witness))
    assert (code, err) == (0, "")
    assert_equal_runs(client, killed.info.run_id, reference)


def test_a_rank_that_fails_alone_is_heard(client, store_uri, witness):
    (witness / "fail").touch()
    code, out, err = watched(DROPOUT, witness, store_uri)
    assert (code, out) == (1, "")
    run = runs(client)[0]
    assert "RuntimeError: a cable was pulled" in err
    last = "fit: rank 1 of 2 processes ended with exit code 1"
    assert err.splitlines()[-1] == f"{last} (run {run.info.run_id})"
    assert run.info.status == "FAILED"


def test_a_signal_in_the_test_waits_for_no_other_rank(client, store_uri, witness):
    (witness / "stop").touch()
    code, out, err = watched(DROPOUT, witness, store_uri)
    run = runs(client)[0]
    advice = f"go on with: python -m lit_anndl.fit surface --resume {run.info.run_id}"
    assert (code, out, err) == (143, "", f"fit: interrupted by SIGTERM; {advice}\n")
    assert (run.info.status, run.data.tags["error"]) == ("KILLED", "interrupted by SIGTERM")


class Group:
    """A command that is to train on two processes, in a session of its own."""

    def __init__(self, words: list[str], store: str) -> None:
        self.ranks: list[int] = []
        self.command = subprocess.Popen(
            [*FIT, *words],
            env={**os.environ, "MLFLOW_TRACKING_URI": store},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_it_trains(self, client: MlflowClient, before: set[str]) -> None:
        found: list[str] = []

        def trains() -> bool:
            assert self.command.poll() is None, self.command.communicate()
            found[:] = [r.info.run_id for r in runs(client) if r.info.run_id not in before and checkpoint(r).exists()]
            return bool(found)

        wait_until(trains, 120)
        self.run_id = found[0]
        self.ranks = sorted(children(self.command.pid), key=local_rank)
        assert list(map(local_rank, self.ranks)) == [0, 1]

    def assert_ends(self, code: int, signum: signal.Signals) -> None:
        """Asserts that it ends in time, says so once, and that nothing is left of it."""
        began = time.monotonic()
        out, err = self.command.communicate(timeout=SECONDS)
        assert time.monotonic() - began < SECONDS
        assert (self.command.returncode, out) == (code, "")
        advice = f"go on with: python -m lit_anndl.fit surface --resume {self.run_id}"
        assert err == f"fit: interrupted by {signum.name}; {advice}\n"
        assert not any(map(is_alive, self.ranks))

    def kill(self) -> None:
        """Leaves nothing behind."""
        for pid in (self.command.pid, *self.ranks):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.command.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def local_rank(pid: int) -> int:
    (value,) = [v for v in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if v.startswith(b"LOCAL_RANK=")]
    return int(value.partition(b"=")[2])


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def group(store_uri, client) -> Iterator[Group]:
    before = {run.info.run_id for run in runs(client)}
    words = ["surface", "--data.grid_size", "10", "--data.batch_size", "5", "--trainer.max_epochs", "100000", *TWO]
    made = Group(words, store_uri)
    try:
        made.wait_until_it_trains(client, before)
        yield made
    finally:
        made.kill()


def test_ctrl_c_ends_the_group_where_it_can_be_resumed(group, client):
    os.killpg(group.command.pid, signal.SIGINT)
    group.assert_ends(130, signal.SIGINT)
    run = client.get_run(group.run_id)
    assert run.info.status == "KILLED"
    content = torch.load(checkpoint(run), weights_only=True)
    assert content["processes"] == 2 and content["global_step"] % 10 == 0  # at the end of an epoch


def test_a_signal_to_one_rank_ends_the_group(group, client):
    os.kill(group.ranks[1], signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)
    assert client.get_run(group.run_id).info.status == "KILLED"


def test_a_signal_ends_a_group_that_waits_for_one_that_does_not_answer(group, client):
    os.kill(group.ranks[1], signal.SIGSTOP)
    time.sleep(1)  # rank 0 comes to wait for it
    group.command.send_signal(signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)
    assert client.get_run(group.run_id).info.status == "KILLED"


def test_a_signal_to_the_rank_that_waits_ends_the_group(group):
    os.kill(group.ranks[0], signal.SIGSTOP)
    time.sleep(1)
    os.kill(group.ranks[1], signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)


def test_nothing_outlives_the_command(group):
    os.kill(group.ranks[1], signal.SIGSTOP)
    group.command.kill()
    group.command.wait()
    wait_until(lambda: not any(map(is_alive, group.ranks)), SECONDS)


def test_batch_norm_becomes_one_that_synchronises():
    """Further than this a CPU does not go."""
    strategy = Trainer(accelerator="cpu", strategy="ddp", sync_batchnorm=True, logger=False).strategy
    module = Surface(partial(SGD, lr=0.1), batch_norm=True)
    parameters = list(module.parameters())
    converted = strategy._layer_sync.apply(module)
    kinds = [type(layer) for layer in converted.net if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert kinds == [nn.SyncBatchNorm] * 2
    assert list(map(id, converted.parameters())) == list(map(id, parameters))


def test_ranks_share_bootstrap_samples_of_all_examples():
    """Together they see each member's sample, one drawn from the whole set; no rank repeats another's draws."""
    examples = (torch.arange(20), torch.arange(20))
    drawn = bootstrap(examples, 3, seed=5)
    ranks = [TensorBatches(drawn, 10, seed=5, rank=rank, world_size=2) for rank in (0, 1)]
    shares = [torch.cat([inputs for item in rank for inputs, _ in item]) for rank in ranks]
    assert [len(share) for share in shares] == [10, 10]
    for member in range(3):
        assert torch.equal(torch.cat(shares)[:, member].sort().values, drawn[0][:, member].sort().values)


REFUSED = [
    (["surface", *ON_CPU, "--trainer.devices", "-1"], "trainer: `devices` selected with `CPUAccelerator` should be"),
    (["surface", *ON_CPU, "--trainer.devices", "0"], "value is not a valid input using cpu accelerator"),
    (["surface", *TWO, "--trainer.num_nodes", "2"], "trainer.num_nodes: 2 was given, expected 1 where no cluster"),
    (["surface", "--data.grid_size", "1", *TWO], "1 training examples cannot be shared by 2 processes"),
    (["hopfield_2d", *TWO], "trainer.devices: 2 processes have no gradients to share here, expected 1"),
    (["santafe_lstm", *TWO], "trainer.devices: 2 processes cannot share examples whose order counts, expected 1"),
    (
        ["surface", "--model.batch_norm", "true", *TWO, "--trainer.sync_batchnorm", "true"],
        "trainer.sync_batchnorm: true was given, but torch synchronises batch norm on GPUs only",
    ),
    (
        ["surface", "--model.batch_norm", "true", *TWO, "--data.batch_size", "799"],
        "data.batch_size 799 leaves a batch of one example for each of 2 processes",
    ),
    (["surface", "--threads", "100000"], f"threads: 100000 was given, expected {len(os.sched_getaffinity(0))} at most"),
    *(
        (
            ["surface", *TWO, "--trainer.strategy", name],
            f"trainer.strategy: {name} was given, expected auto or ddp",
        )
        for name in (
            *("ddp_spawn", "ddp_fork", "ddp_notebook", "ddp_find_unused_parameters_true", "fsdp", "deepspeed", "ddpp"),
            *("lightning.pytorch.strategies.FSDPStrategy", "lightning.pytorch.strategies.ModelParallelStrategy"),
        )
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_processes_cannot_do_is_refused_before_a_run_is_recorded(words, message, command):
    before = len(command.runs())
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("fit: ") and err.count("\n") == 1
    assert len(command.runs()) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_a_gpu_that_is_not_there(command):
    code, out, err = command("surface", "--trainer.accelerator", "gpu")
    assert (code, out) == (2, "")
    assert "trainer.accelerator: gpu was given, expected one that is here: auto" in err and err.count("\n") == 1


def test_a_run_keeps_its_number_of_processes(command):
    run = command.run("surface", "--trainer.max_epochs", "1")
    path = checkpoint(run)
    torch.save({**torch.load(path, weights_only=True), "processes": 2}, path)
    code, _, err = command("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "2")
    assert code == 2
    assert "a run on 2 devices, which 1 cannot go on with" in err and err.count("\n") == 1


def test_checkpoints_from_before_there_were_several_processes(command):
    words = ["surface", "--model.dropout", "0.5", "--trainer.max_epochs"]
    run, whole = command.run(*words, "2"), command.run(*words, "4")
    path = checkpoint(run)
    content = torch.load(path, weights_only=True)
    del content["processes"]
    (state,) = [state for state in content["callbacks"].values() if "random_state" in state]
    assert state.pop("other_ranks") == []
    torch.save(content, path)
    grown = command.run("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "4")
    assert grown.data.metrics["test/mse"] == whole.data.metrics["test/mse"]
