"""Runs that fail: exceptions, numbers without bounds."""

from tests.support.processes import checkpoint, finish, runs


def test_weights_that_the_last_step_made_infinite(command):
    diverging = ["--model.optimizer", "SGD", "--model.optimizer.lr", "1e30", "--data.batch_size", "1600"]
    code, _, err = command("surface", *diverging, "--trainer.max_epochs", "1")
    assert code == 1 and "test/mse is inf" in err and err.count("\n") == 1


def test_an_exception_fails_the_run(store, observer, tmp_path):
    (tmp_path / "unlucky.py").write_text(
        "from lightning.pytorch import Callback\n"
        "class Unlucky(Callback):\n"
        "    def on_train_epoch_start(self, trainer, module):\n"
        "        if trainer.current_epoch == 2: raise RuntimeError('a cable was pulled')\n"
    )
    (tmp_path / "extra.yaml").write_text("trainer: {callbacks: [{class_path: unlucky.Unlucky}]}")
    code, _, err = finish("surface", "--config", str(tmp_path / "extra.yaml"), store=store, PYTHONPATH=str(tmp_path))
    assert code == 1
    assert "RuntimeError: a cable was pulled" in err
    run = runs(observer)[0]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "RuntimeError: a cable was pulled")
    assert checkpoint(run).exists()


def test_a_diverging_loss_stops_the_run(command):
    before = {run.info.run_id for run in command.runs()}
    code, _, err = command("surface", "--model.optimizer", "SGD", "--model.optimizer.lr", "1e9")
    assert code == 1
    assert err.count("\n") == 1 and "at step" in err and "smaller learning rate" in err
    (run,) = [run for run in command.runs() if run.info.run_id not in before]
    assert run.info.status == "FAILED" and "at step" in run.data.tags["error"]
