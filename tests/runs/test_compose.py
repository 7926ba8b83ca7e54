"""What is refused before a run is recorded."""

import pytest
import torch


@pytest.mark.parametrize("given", ["-1", "null"])
def test_a_rate_that_falls_to_an_end_needs_one(given, command):
    words = ("santafe", "--trainer.max_epochs", given, "--trainer.max_steps", "3")
    command.refuses(
        *words, says=f"max_epochs: {given} was given, expected a number of epochs, which model.anneal needs"
    )


def test_what_is_of_other_data_at_first_does_not_stop_a_run(command):
    words = ("surface", "--data.earlier_noise=[0.1,0.3]", "--data.epochs_of_earlier", "2", "--trainer.max_epochs", "6")
    command.refuses(*words, "--early_stopping.patience", "1", says="early_stopping.patience 1 was given, expected null")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is asked for at each step, and is there")
def test_optimizer_steps_do_not_look_for_the_library_of_gpus_that_are_not_there(command, monkeypatch):
    searches = []
    find = torch.cuda._raw_device_count_nvml
    monkeypatch.setattr(torch.cuda, "_raw_device_count_nvml", lambda: searches.append(1) or find())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    words = ("--model.optimizer", "Adam", "--data.batch_size", "40", "--trainer.max_epochs", "3")
    command("surface", *words)
    assert len(searches) < 40  # of 120 steps
