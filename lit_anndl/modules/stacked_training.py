"""Regressions by perceptrons of one shape that take their optimizer steps together."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from lit_anndl.data.batches import Batch
from lit_anndl.modules.stacked_optimizer import StackedOptimizer
from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation, can_write_out
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.stacked_mlp import StackedMLP


@dataclass(frozen=True)
class Member:
    """One of the regressions: a network, or several that are averaged, under one optimizer, with a stream of noise."""

    nets: Sequence[MLP]
    optimizer: Optimizer
    generator: Generator


class StackedTraining:
    """Least squares for members at once, each on batches of its own.

    The loss is the sum of all networks' squared errors and penalties, so that the gradient for each is that of its own.
    A single network learns beside a copy of itself, so that it learns bit for bit what it would have beside others.

    Args:
        members: of one shape, with optimizers of one kind, after the same number of steps.
        make_optimizer: makes the optimizer of all from the stacked parameters.
        penalty: of stacked parameters, added to the loss; None for none.
    """

    def __init__(
        self,
        members: Sequence[Member],
        make_optimizer: Callable[[Any], Optimizer],
        penalty: Callable[[Sequence[nn.Parameter]], Callable[[], Tensor]] | None,
    ) -> None:
        self.copy = _copy(members[0], make_optimizer) if len(members) == len(members[0].nets) == 1 else None
        self.members = [*members, self.copy] if self.copy else list(members)
        members = self.members
        nets = [net for member in members for net in member.nets]
        self.net = StackedMLP(nets, [member.generator for member in members])
        parameters = self.net.parameters
        own = [(member.optimizer, list(net.parameters())) for member in members for net in member.nets]
        self.optimizer = StackedOptimizer(make_optimizer(parameters), parameters, own)
        self.shape = (len(members), len(members[0].nets))
        self.penalty = penalty(parameters) if penalty else None
        written_out = can_write_out(nets[0]) and not penalty
        self.backpropagate = SquaredErrorBackpropagation(nets[0], parameters) if written_out else self._differentiate

    def learn(self, epochs: Sequence[Sequence[Batch]]) -> list[Tensor]:
        """Takes a step for each batch of an epoch, of which every member has its own.

        Returns:
            the squared errors before each step, (steps) for each member, of several networks their mean.
        """
        if self.copy:
            _take(self.copy, self.members[0])
            epochs = [*epochs, *epochs]
        self.net.gather()
        self.optimizer.gather()
        errors = [self._step(*zip(*batches, strict=True)) for batches in zip(*epochs, strict=True)]
        self.net.scatter()
        self.optimizer.scatter()
        of_members = torch.stack(errors).unflatten(1, self.shape).mean(dim=2).unbind(dim=1)
        return list(of_members[:1] if self.copy else of_members)

    def _step(self, inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        errors = self.backpropagate(self._stack(inputs), self._stack(targets))
        self.optimizer.step()
        return errors

    def _stack(self, batches: Sequence[Tensor]) -> Tensor:
        """Each network's examples: from (B, k), or (B, M, k) with own ones for each of M, to (P, B, k)."""
        stacked = torch.stack(list(batches))
        if stacked.dim() == 4:
            return stacked.transpose(1, 2).flatten(0, 1)
        return stacked if self.shape[1] == 1 else stacked.repeat_interleave(self.shape[1], dim=0)

    def _differentiate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The errors, with the gradients left by automatic differentiation."""
        self.optimizer.zero_grad()
        errors = (self.net(inputs) - targets).square().mean(dim=(1, 2))
        loss = errors.sum()
        (loss + self.penalty() if self.penalty else loss).backward()
        return errors.detach()


def _copy(member: Member, make_optimizer: Callable[[Any], Optimizer]) -> Member:
    """Another like a member."""
    nets = deepcopy(member.nets)
    return Member(nets, make_optimizer([each for net in nets for each in net.parameters()]), Generator())


def _take(copy: Member, member: Member) -> None:
    """Makes a copy what the member is now."""
    for net, other in zip(copy.nets, member.nets, strict=True):
        net.load_state_dict(other.state_dict())
    copy.optimizer.load_state_dict(member.optimizer.state_dict())
