"""What is refused before a run is recorded."""

import pytest


@pytest.mark.parametrize("given", ["-1", "null"])
def test_a_rate_that_falls_to_an_end_needs_one(given, command):
    words = ("santafe", "--trainer.max_epochs", given, "--trainer.max_steps", "3")
    command.refuses(
        *words, says=f"max_epochs: {given} was given, expected a number of epochs, which model.anneal needs"
    )


def test_what_is_of_other_data_at_first_does_not_stop_a_run(command):
    words = ("surface", "--data.earlier_noise=[0.1,0.3]", "--data.epochs_of_earlier", "2", "--trainer.max_epochs", "6")
    command.refuses(*words, "--early_stopping.patience", "1", says="early_stopping.patience 1 was given, expected null")
