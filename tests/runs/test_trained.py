"""A trained network, back from the store."""

import random

import pytest
import torch

from lit_anndl import load
from lit_anndl.data.surface import grid, surface
from lit_anndl.runtime.errors import InputError
from tests.support.processes import checkpoint

SHORT = ("surface", "--trainer.max_epochs", "40", "--data.grid_size", "10", "--data.validation_size", "20")
STOPPED = ("--checkpoint.monitor", "val/mse", "--early_stopping.patience", "3", "--model.optimizer.lr", "0.1")


@pytest.mark.parametrize("words", [(), ("--trainer.precision", "64-true"), STOPPED], ids=["last", "double", "best"])
def test_it_predicts_what_was_tested(words, command):
    run = command.run(*SHORT, *words)
    module = load(run.info.run_id)
    points = grid(10).to(next(module.parameters()).dtype)
    error = float((module.net(points) - surface(points)).square().mean())
    assert error == pytest.approx(run.data.metrics["test/mse"], rel=1e-6)
    assert not module.training and not any(parameter.requires_grad for parameter in module.parameters())
    with pytest.raises(InputError, match=r"^surface draws no images, expected an exercise that does, such as gan$"):
        module.sample(1, torch.Generator())


def test_networks_that_are_made_for_their_data(command):
    run = command.run("santafe_mlp", "--trainer.max_epochs", "2", "--data.lag", "5", "--model.hidden", "4")
    assert load(run.info.run_id).net is not None


@pytest.mark.parametrize("how", ["unknown", "foreign", "no checkpoint"])
def test_what_cannot_be_loaded(how, command):
    run = command.run(*SHORT)
    run_id = run.info.run_id
    if how == "unknown":
        run_id = "0" * 32
    elif how == "foreign":
        command.client.set_tag(run_id, "exercise", "of_others")
    else:
        checkpoint(run).unlink()
    with pytest.raises(InputError, match=r"no run|not there"):
        load(run_id)


@pytest.mark.parametrize("given", ["prefix", "0123abcd", "", "a/b"])
def test_what_is_no_run_id_is_said_to_be_none(given):
    with pytest.raises(InputError) as caught:
        load(given)
    assert str(caught.value).startswith(f"there is no run {given or '(nothing given)'} in the tracking store sqlite")
    assert str(caught.value).endswith("; expected a run id of 32 hexadecimal digits")


def test_loading_changes_nothing(command):
    run = command.run(*SHORT)
    state = torch.get_rng_state()
    load(run.info.run_id)
    assert torch.equal(torch.get_rng_state(), state)
    assert command.client.get_run(run.info.run_id).data.to_dictionary() == run.data.to_dictionary()


def test_loading_draws_no_random_numbers(command):
    run = command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    before = (random.getstate(), torch.get_rng_state())
    load(run.info.run_id)
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
