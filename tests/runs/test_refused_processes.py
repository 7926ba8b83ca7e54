"""What several processes cannot do, and what does not belong to them."""

import os

import pytest
import torch

from tests.support.processes import checkpoint
from tests.support.ranks import ON_CPU, TWO

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
    command.refuses(*words, says=message)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_a_gpu_that_is_not_there(command):
    words = ["surface", "--trainer.accelerator", "gpu"]
    command.refuses(*words, says="trainer.accelerator: gpu was given, expected one that is here: auto")


def test_a_run_keeps_its_number_of_processes(command):
    run = command.run("surface", "--trainer.max_epochs", "1")
    path = checkpoint(run)
    torch.save({**torch.load(path, weights_only=True), "processes": 2}, path)
    words = ["surface", "--resume", run.info.run_id, "--trainer.max_epochs", "2"]
    command.refuses(*words, says="a run on 2 devices, which 1 cannot go on with")


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
