"""Runs on several processes, through the command: two ranks, gloo, a CPU; together they equal one."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.optim import SGD

from lit_anndl.data.batches import TensorBatches
from lit_anndl.data.bootstrap import bootstrap
from lit_anndl.exercises.supervised.surface import Surface
from tests.support.processes import assert_equal_runs, checkpoint, finish, runs, training_history
from tests.support.ranks import DROPOUT, ON_CPU, TWO, by_rank, newest, watched

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
