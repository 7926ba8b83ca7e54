"""What gradient exercises measure and leave."""

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch import nn

from lit_anndl.modules.layer_table import parameters_per_layer
from tests.support.regression import EPOCHS, GRADIENT_STEPS, STEPS, Recorder, Regression, make_net, train, train_by_hand


@pytest.mark.parametrize("steps_per_execution", [1, 4, None])
@pytest.mark.parametrize("explicit", [True, False])
def test_training_metrics_are_means_of_the_values_before_each_step(
    explicit: bool, steps_per_execution: int | None
) -> None:
    recorder, optimizer = Recorder(), GRADIENT_STEPS["sgd"]
    module = train(optimizer, explicit=explicit, steps_per_execution=steps_per_execution, logger=recorder)
    _, losses = train_by_hand(optimizer)
    means = [sum(epoch) / len(epoch) for epoch in losses]
    assert recorder.values("train/loss") == pytest.approx(means, rel=1e-5)
    assert module.trainer.callback_metrics["train/loss"].item() == pytest.approx(means[-1], rel=1e-5)


def test_training_metrics_are_logged_once_per_epoch() -> None:
    recorder = Recorder()
    train(steps_per_execution=2, logger=recorder)
    logged = [(step, metrics["epoch"]) for step, metrics in recorder.logged if "train/loss" in metrics]
    assert logged == [(STEPS, 0), (2 * STEPS, 1), (3 * STEPS, 2)]
    assert len(recorder.values("train/error")) == EPOCHS


def test_validation_and_test_metrics_are_means_over_the_examples() -> None:
    """Batches of 1000 and of what is left count by their sizes."""
    module = train()
    trainer, data = module.trainer, module.trainer.datamodule
    metrics = dict(trainer.callback_metrics)
    trainer.test(module, datamodule=data, verbose=False)
    metrics |= trainer.callback_metrics
    for stage, (inputs, targets) in (("val", data.validation), ("test", data.test)):
        with torch.no_grad():
            for name, value in module.measure(module(inputs), (inputs, targets)).items():
                assert metrics[f"{stage}/{name}"].item() == pytest.approx(value.item(), rel=1e-5)


def test_test_outputs_are_kept_in_order_and_only_of_the_last_test() -> None:
    module = train()
    for _ in range(2):
        module.trainer.test(module, datamodule=module.trainer.datamodule, verbose=False)
    with torch.no_grad():
        expected = module.net(module.trainer.datamodule.test[0])
    torch.testing.assert_close(torch.cat(module.test_outputs), expected)


def test_parameters_per_layer() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    net[0].bias.requires_grad_(False)
    table = parameters_per_layer(net)
    assert table == {
        "layer": ["0", "2.0", "2.1", "total"],
        "type": ["Linear", "Conv2d", "BatchNorm2d", ""],
        "parameters": [12, 20, 4, 36],
    }


def test_parameters_are_a_table_of_the_run() -> None:
    net = make_net()
    tables = dict(Regression(GRADIENT_STEPS["adam"], net).tables(LightningDataModule()))
    assert tables == {"parameters": parameters_per_layer(net)}
