"""Regularized least squares, through the command."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from lit_anndl.data.bootstrap import bootstrap
from lit_anndl.data.surface import SurfaceData
from lit_anndl.nets.mlp import MLP
from tests.support.processes import checkpoint, training_history

STEPS, RATE = 20, 0.05
FULL_BATCH = [
    "surface",
    *("--data.grid_size", "8", "--data.batch_size", "64", "--trainer.max_epochs", str(STEPS)),
    *("--model.hidden", "[6, 4]", "--model.activation", "[tanh, relu]"),
    *("--model.optimizer", "SGD", "--model.optimizer.lr", str(RATE)),
]


def data() -> SurfaceData:
    made = SurfaceData(grid_size=8, seed=0)
    made.setup("fit")
    return made


def trained(net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, **optimizer: float) -> nn.Module:
    """A net after plain gradient descent."""
    descent = torch.optim.SGD(net.parameters(), RATE, **optimizer)  # type: ignore[arg-type]
    for _ in range(STEPS):
        descent.zero_grad()
        mse_loss(net(inputs), targets).backward()
        descent.step()
    return net


def assert_weights(run, nets: dict[str, nn.Module]) -> None:
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    for prefix, net in nets.items():
        for name, tensor in net.state_dict().items():
            torch.testing.assert_close(state[prefix + name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("resamples", [0, 3])
def test_members_train_as_each_would_alone(resamples, command):
    run = command.run(*FULL_BATCH, "--model.members", "3", "--data.resamples", str(resamples))
    torch.manual_seed(0)
    nets = [MLP((2, 6, 4, 1), ["tanh", "relu"]) for _ in range(3)]
    train, test = data().train, data().test
    inputs, targets = bootstrap(train, 3, 0) if resamples else (t.unsqueeze(1).expand(-1, 3, -1) for t in train)
    members = {f"net.members.{m}.": trained(net, inputs[:, m], targets[:, m]) for m, net in enumerate(nets)}
    assert_weights(run, members)
    average = sum(net(test[0]) for net in nets) / 3
    assert run.data.metrics["test/mse"] == pytest.approx(mse_loss(average, test[1]).item(), rel=1e-4)


def test_l2_is_weight_decay_of_the_weights(command):
    run = command.run(*FULL_BATCH, "--model.l2", "0.02")
    torch.manual_seed(0)
    net = MLP((2, 6, 4, 1), ["tanh", "relu"])
    groups = [
        {"params": [p for p in net.parameters() if (p.dim() > 1) is weights], "weight_decay": 2 * 0.02 * weights}
        for weights in (True, False)
    ]
    descent, (inputs, targets) = torch.optim.SGD(groups, RATE), data().train
    for _ in range(STEPS):
        descent.zero_grad()
        mse_loss(net(inputs), targets).backward()
        descent.step()
    assert_weights(run, {"net.": net})


def test_penalties_count_for_optimizers_that_evaluate_several_times(command):
    """The line search of L-BFGS finds the minimum of the sum: where the gradients of both terms cancel."""
    words = ["--trainer.max_epochs", "30", "--trainer.precision", "64-true", "--data.batch_size", "64"]
    linear = ["surface", "--data.grid_size", "8", "--model.hidden", "[]", "--model.optimizer", "LBFGS"]
    search = ["--model.optimizer.line_search_fn", "strong_wolfe", "--model.optimizer.tolerance_change", "1e-15"]
    run = command.run(*linear, *words, *search, "--model.l2", "0.3")
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    inputs, targets = (tensor.double() for tensor in data().train)
    residuals = inputs @ state["net.0.weight"].T + state["net.0.bias"] - targets
    gradient = 2 * (residuals * inputs).mean(dim=0) + 2 * 0.3 * state["net.0.weight"][0]
    assert gradient.abs().max() < 1e-6
    assert state["net.0.weight"].dtype == torch.float64


def test_training_error_is_reported_without_penalties(command):
    runs = [command.run(*FULL_BATCH, "--trainer.max_epochs", "1", "--model.l1", l1) for l1 in ("0", "2")]
    assert runs[0].data.metrics["train/mse"] == pytest.approx(runs[1].data.metrics["train/mse"], rel=1e-5)
    assert runs[0].data.metrics["final/mse"] != pytest.approx(runs[1].data.metrics["final/mse"], rel=1e-2)


def test_summary(command):
    run = command.run(*FULL_BATCH, "--model.dropout", "0.3", "--model.jitter", "0.1", "--model.batch_norm", "true")
    history = training_history(command.client, run.info.run_id)
    metrics = run.data.metrics
    epoch, lowest = min(history["train/mse"], key=lambda point: point[1])
    assert (metrics["lowest/epoch"], metrics["lowest/mse"]) == (epoch, lowest)
    net = MLP((2, 6, 4, 1), ["tanh", "relu"], dropout=0.3, jitter=0.1, batch_norm=True).eval()
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    net.load_state_dict({name.removeprefix("net."): tensor for name, tensor in state.items()})
    train, test = data().train, data().test
    final = mse_loss(net(train[0]), train[1]).item()
    assert metrics["final/mse"] == pytest.approx(final, rel=1e-4)
    assert metrics["test/mse"] == pytest.approx(mse_loss(net(test[0]), test[1]).item(), rel=1e-4)
    assert metrics["final/gap"] == pytest.approx(metrics["test/mse"] - final, rel=1e-3)
    assert metrics["bytes/optimizer"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.activation", "tanhh"], "tanhh was given, expected"),
        (["--model.activation", "[tanh]"], "for each of the 2 hidden layers"),
        (["--model.hidden", "[6, 0]"], "model.hidden"),
        (["--model.dropout", "1.5"], "model.dropout"),
        (["--data.resamples", "1"], "data.resamples 1 does not fit model.members 1"),
        (["--model.batch_norm", "true", "--data.batch_size", "1599"], "leaves a last batch of one of 1600"),
        (
            ["--data", "lit_anndl.data.regression.RegressionData"],
            "data: lit_anndl.data.regression.RegressionData was given, expected",
        ),
        (["--model.members", "3", "--data.resamples", "2"], "data.resamples 2 does not fit model.members 3"),
        (
            [
                "--model.optimizer",
                "LBFGS",
                "--model.optimizer.max_iter",
                "1",
                *("--model.optimizer.line_search_fn", "strong_wolfe"),
            ],
            "max_eval",
        ),
    ],
)
def test_wrong_settings(words, message, command):
    before = len(command.runs())
    command.refuses("surface", *words, says=message)
    assert len(command.runs()) == before


def test_half_precision_has_figures(command):
    run = command.run(*FULL_BATCH, "--trainer.precision", "bf16-mixed")
    assert run.info.status == "FINISHED"
    assert {item.path for item in command.client.list_artifacts(run.info.run_id, "figures")}
