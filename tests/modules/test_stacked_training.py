"""Networks that learn side by side are the networks that learn alone."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)

from lit_anndl.data.batches import Batch
from lit_anndl.modules.stacked_optimizer import is_elementwise
from lit_anndl.modules.stacked_training import Member, StackedTraining
from lit_anndl.nets.dropout import MANY
from lit_anndl.nets.ensemble import Ensemble
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.penalty import WeightPenalty, weight_matrices

MEMBERS, EPOCHS, STEPS, BATCH_SIZE = 3, 4, 5, 9
OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "nesterov": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda parameters: Adam(parameters, lr=0.01, amsgrad=True),
    "fused": lambda parameters: AdamW(parameters, lr=0.01, fused=True),
    "nadam": lambda parameters: NAdam(parameters, lr=0.01),
    "adagrad": lambda parameters: Adagrad(parameters, lr=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.001, centered=True),
    "adadelta": lambda parameters: Adadelta(parameters, lr=1.0),
    "adamax": lambda parameters: Adamax(parameters, lr=0.01),
    "asgd": lambda parameters: ASGD(parameters, lr=0.1, t0=3),
    "radam": lambda parameters: RAdam(parameters, lr=0.01, decoupled_weight_decay=True, weight_decay=0.01),
    "rprop": lambda parameters: Rprop(parameters, lr=0.01),
}
SHAPES: dict[str, dict[str, Any]] = {
    "relu": {},
    "tanh": {"activation": "tanh", "input_mean": 0.5, "input_std": 0.3},
    "mixed": {"activation": ["silu", "leaky_relu"], "glorot_gain": 1.0},
    "noisy": {"dropout": 0.3, "jitter": 0.1},
    "all dropped": {"dropout": 1.0},
}


def make_nets(number: int, dtype: torch.dtype = torch.float64, **options: Any) -> list[MLP]:
    torch.manual_seed(0)
    return [MLP((2, 7, 6, 1), **options).to(dtype) for _ in range(number)]


def make_epochs(members: int, columns: int = 0, dtype: torch.dtype = torch.float64) -> list[list[list[Batch]]]:
    """Batches by epoch and member; with a column of inputs and targets for each network of an ensemble, if wanted."""
    generator = torch.Generator().manual_seed(1)
    shape = (BATCH_SIZE, columns) if columns else (BATCH_SIZE,)

    def batch() -> Batch:
        return tuple(torch.randn(*shape, size, generator=generator, dtype=dtype) for size in (2, 1))

    return [[[batch() for _ in range(STEPS)] for _ in range(members)] for _ in range(EPOCHS)]


def stacked_penalty(parameters: Sequence[nn.Parameter]) -> WeightPenalty:
    return WeightPenalty(weight_matrices(parameters, stacked=True), 1e-3, 1e-2)


def make_members(nets: list[MLP], make_optimizer: Callable[[Any], Optimizer]) -> list[Member]:
    return [
        Member([net], make_optimizer(net.parameters()), Generator().manual_seed(seed)) for seed, net in enumerate(nets)
    ]


def train_alone(net: nn.Module, optimizer: Optimizer, seed: int, epochs: list[list[Batch]], penalised: bool) -> Tensor:
    torch.manual_seed(seed)
    penalty = WeightPenalty(weight_matrices(net.parameters()), 1e-3, 1e-2)
    errors = []
    for inputs, targets in (batch for epoch in epochs for batch in epoch):
        optimizer.zero_grad()
        error = (net(inputs) - targets).square().mean()
        (error + penalty() if penalised else error).backward()
        optimizer.step()
        errors.append(error.detach())
    return torch.stack(errors)


def assert_same_state(optimizer: Optimizer, other: Optimizer) -> None:
    ours, theirs = (each.state_dict()["state"] for each in (optimizer, other))
    assert ours.keys() == theirs.keys()
    for mine, its in zip(ours.values(), theirs.values(), strict=True):
        assert mine.keys() == its.keys()
        torch.testing.assert_close(list(mine.values()), list(its.values()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_learns_what_it_would_alone(optimizer: str, shape: str, penalised: bool) -> None:
    make_optimizer, epochs = OPTIMIZERS[optimizer], make_epochs(MEMBERS)
    nets = make_nets(MEMBERS, **SHAPES[shape])
    alone = deepcopy(nets)
    members = make_members(nets, make_optimizer)
    training = StackedTraining(members, make_optimizer, stacked_penalty if penalised else None)
    learnt = [training.learn(epoch) for epoch in epochs]
    for number, (member, net) in enumerate(zip(members, alone, strict=True)):
        own_optimizer, own_epochs = make_optimizer(net.parameters()), [epoch[number] for epoch in epochs]
        errors = train_alone(net, own_optimizer, number, own_epochs, penalised)
        torch.testing.assert_close(torch.cat([each[number] for each in learnt]), errors, rtol=0, atol=1e-12)
        torch.testing.assert_close(member.nets[0].state_dict(), net.state_dict(), rtol=0, atol=1e-12)
        assert_same_state(member.optimizer, own_optimizer)


@pytest.mark.parametrize("dropout", [0.5, 0.3])
def test_masks_of_many_units_are_those_of_each(dropout: float) -> None:
    make_optimizer = partial(SGD, lr=1e-4)
    torch.manual_seed(0)
    nets = [MLP((2, MANY, 1), dropout=dropout).double() for _ in range(MEMBERS)]
    alone, epochs = deepcopy(nets), make_epochs(MEMBERS)[:1]
    training = StackedTraining(make_members(nets, make_optimizer), make_optimizer, None)
    learnt = training.learn(epochs[0])
    for number, net in enumerate(alone):
        errors = train_alone(net, make_optimizer(net.parameters()), number, [epochs[0][number]], False)
        torch.testing.assert_close(learnt[number], errors, rtol=0, atol=1e-12)


def test_batch_normalization_is_that_of_each() -> None:
    # By SGD: the biases before it have no gradient but rounding, which others would make steps of.
    make_optimizer, epochs = OPTIMIZERS["sgd"], make_epochs(MEMBERS)
    nets = make_nets(MEMBERS, batch_norm=True)
    alone = deepcopy(nets)
    training = StackedTraining(make_members(nets, make_optimizer), make_optimizer, None)
    for epoch in epochs:
        training.learn(epoch)
    for number, (net, own) in enumerate(zip(nets, alone, strict=True)):
        train_alone(own, make_optimizer(own.parameters()), number, [epoch[number] for epoch in epochs], False)
        torch.testing.assert_close(net.state_dict(), own.state_dict(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("columns", [0, 2])
def test_ensembles_learn_side_by_side(columns: int) -> None:
    make_optimizer, epochs = OPTIMIZERS["adam"], make_epochs(MEMBERS, columns)
    nets = make_nets(2 * MEMBERS)
    ensembles = [Ensemble(deepcopy(nets[2 * at : 2 * at + 2])) for at in range(MEMBERS)]
    members = [
        Member(pair, make_optimizer([p for net in pair for p in net.parameters()]), Generator())
        for pair in (nets[2 * at : 2 * at + 2] for at in range(MEMBERS))
    ]
    training = StackedTraining(members, make_optimizer, None)
    learnt = [training.learn(epoch) for epoch in epochs]
    for number, ensemble in enumerate(ensembles):
        optimizer = make_optimizer(ensemble.parameters())
        for epoch, errors in zip(epochs, learnt, strict=True):
            for step, (inputs, targets) in enumerate(epoch[number]):
                optimizer.zero_grad()
                error = (ensemble(inputs) - (targets if columns else targets.unsqueeze(1))).square().mean()
                (2 * error).backward()
                optimizer.step()
                torch.testing.assert_close(errors[number][step], error.detach(), rtol=0, atol=1e-12)
        for net, own in zip(members[number].nets, ensemble.members, strict=True):
            torch.testing.assert_close(net.state_dict(), own.state_dict(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", ["relu", "tanh", "noisy"])
def test_what_one_learns_is_the_same_beside_any_number_of_others(shape: str) -> None:
    epochs, found = make_epochs(MEMBERS, dtype=torch.float32), []
    for number in range(1, MEMBERS + 1):
        nets = make_nets(MEMBERS, torch.float32, **SHAPES[shape])[:number]
        training = StackedTraining(make_members(nets, OPTIMIZERS["adam"]), OPTIMIZERS["adam"], None)
        for epoch in epochs:
            training.learn(epoch[:number])
        found.append(nets[0].state_dict())
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=0, atol=0)


@pytest.mark.parametrize(
    "settings",
    [
        [(SGD, {"lr": 0.1}), (SGD, {"lr": 0.1}), (SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1})],
        [(Adam, {"lr": 0.01}), (Adam, {"lr": 0.003, "amsgrad": True}), (Adam, {"lr": 0.01, "betas": (0.5, 0.9)})],
    ],
    ids=["sgd", "adam"],
)
def test_each_has_settings_of_its_own(settings: list[tuple[type[Optimizer], dict[str, Any]]]) -> None:
    def slow_down(optimizer: Optimizer) -> None:  # from then on the first two differ, too
        optimizer.param_groups[0]["lr"] = 0.002

    assert_each_as_alone([partial(cls, **own) for cls, own in settings], slow_down)


def test_an_optimizer_that_begins_anew_does_so_alone() -> None:
    assert_each_as_alone([OPTIMIZERS["adam"]] * MEMBERS, lambda optimizer: optimizer.state.clear())


def assert_each_as_alone(
    makers: Sequence[Callable[[Any], Optimizer]], change: Callable[[Optimizer], None], when: int = 2
) -> None:
    """Asserts that each member learns as it would alone, the first with its optimizer changed at an epoch."""
    nets, epochs = make_nets(MEMBERS), make_epochs(MEMBERS)
    alone = deepcopy(nets)
    members = [Member([net], make(net.parameters()), Generator()) for net, make in zip(nets, makers, strict=True)]
    training = StackedTraining(members, makers[0], None)
    for number, epoch in enumerate(epochs):
        if number == when:
            change(members[0].optimizer)
        training.learn(epoch)
    for at, (net, make) in enumerate(zip(alone, makers, strict=True)):
        optimizer, own = make(net.parameters()), [epoch[at] for epoch in epochs]
        train_alone(net, optimizer, at, own[:when], False)
        if at == 0:
            change(optimizer)
        train_alone(net, optimizer, at, own[when:], False)
        torch.testing.assert_close(nets[at].state_dict(), net.state_dict(), rtol=0, atol=1e-12)
        assert_same_state(members[at].optimizer, optimizer)


def test_learning_rates_are_those_of_the_moment() -> None:
    make_optimizer, epochs = OPTIMIZERS["sgd"], make_epochs(MEMBERS)
    nets = make_nets(MEMBERS)
    members = make_members(nets, make_optimizer)
    training = StackedTraining(members, make_optimizer, None)
    training.learn(epochs[0])
    before = deepcopy(nets)
    for member in members:
        member.optimizer.param_groups[0]["lr"] = 0.0
    training.learn(epochs[1])
    for net, other in zip(nets, before, strict=True):
        torch.testing.assert_close(net.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_networks_of_other_shapes_are_refused() -> None:
    nets = [MLP((2, 7, 1)), MLP((2, 8, 1))]
    with pytest.raises(ValueError, match="expected networks of one shape"):
        StackedTraining(make_members(nets, OPTIMIZERS["sgd"]), OPTIMIZERS["sgd"], None)


def test_only_optimizers_that_look_at_each_weight_alone_are_stacked() -> None:
    assert all(is_elementwise(type(make([nn.Parameter(torch.ones(2))]))) for make in OPTIMIZERS.values())
    assert not any(map(is_elementwise, (torch.optim.LBFGS, torch.optim.Adafactor, torch.optim.SparseAdam)))
