"""What is refused before a run is recorded."""


def test_a_rate_that_falls_to_an_end_needs_one(command):
    before = len(command.runs())
    code, _, err = command("santafe", "--trainer.max_epochs", "-1", "--trainer.max_steps", "3")
    assert code == 2
    assert err == "fit: trainer.max_epochs: -1 was given, expected a number of epochs, which model.anneal needs\n"
    assert len(command.runs()) == before
