"""Lightning's own ways back to a trained network: load_from_checkpoint, calling it, Trainer.predict."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from lit_anndl import load
from lit_anndl.data.surface import grid
from lit_anndl.exercises.recurrent.santafe import SantaFe
from lit_anndl.exercises.supervised.surface import Surface
from lit_anndl.runtime.errors import InputError
from tests.support.processes import checkpoint

SHORT = ("surface", "--trainer.max_epochs", "3", "--data.grid_size", "10", "--model.hidden", "[7, 5]")


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_checkpoint_alone_gives_the_network(precision, command):
    run = command.run(*SHORT, "--trainer.precision", precision)
    module = Surface.load_from_checkpoint(checkpoint(run)).eval()
    points = grid(10).to(next(module.parameters()).dtype)
    assert torch.equal(module(points), load(run.info.run_id)(points))


def test_networks_that_are_made_for_their_data(command):
    run = command.run("santafe_mlp", "--trainer.max_epochs", "2", "--data.lag", "5", "--model.hidden", "4")
    module, same = SantaFe.load_from_checkpoint(checkpoint(run)), load(run.info.run_id)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), same.parameters(), strict=True))


def test_the_trainer_predicts(command):
    module = load(command.run(*SHORT).info.run_id)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    loader = DataLoader(TensorDataset(grid(10)), batch_size=32)
    outputs = torch.cat(trainer.predict(module, dataloaders=loader))
    torch.testing.assert_close(outputs, module(grid(10)))


@pytest.mark.parametrize("name", ["os.system", "evil.Optimizer"])
def test_a_checkpoint_builds_no_foreign_class(name, command, tmp_path):
    content = torch.load(checkpoint(command.run(*SHORT)), weights_only=True)
    content["hyper_parameters"]["optimizer"]["class_path"] = name
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match=f"names {name}"):
        Surface.load_from_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize("key", ["_instantiator", "hidden"])
def test_a_checkpoint_calls_nothing_of_its_own_choice(key, command, tmp_path):
    content = torch.load(checkpoint(command.run(*SHORT)), weights_only=True)
    content["hyper_parameters"][key] = "os.system"
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match=r"names os\.system"):
        Surface.load_from_checkpoint(tmp_path / "other.ckpt")


def test_a_checkpoint_that_does_not_say_what_it_is_of(command, tmp_path):
    content = torch.load(checkpoint(command.run(*SHORT)), weights_only=True)
    del content["hyper_parameters"]
    torch.save(content, tmp_path / "bare.ckpt")
    with pytest.raises(InputError, match="does not say what its exercise was made with"):
        Surface.load_from_checkpoint(tmp_path / "bare.ckpt")
