"""Optimizers of several networks as one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim import Optimizer

_ELEMENTWISE = ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD")


def is_elementwise(optimizer: type) -> bool:
    """Whether an optimizer's step for one number depends on that number's own gradients alone."""
    return optimizer in [getattr(optim, name) for name in _ELEMENTWISE]


class StackedOptimizer:
    """The elementwise optimizers of P networks as one over their stacked parameters, which does the same to each.

    The networks' optimizers keep states of their own: `gather` stacks these, `scatter` gives each its share back.

    Args:
        optimizer: of one group, the stacked parameters, each with the first dimension P.
        own: P times a network's optimizer, of the same kind and settings, and the parameters of that network, in the
            order of the stacked ones. Networks may share an optimizer; all have made the same number of steps.
    """

    def __init__(self, optimizer: Optimizer, own: Sequence[tuple[Optimizer, Sequence[nn.Parameter]]]) -> None:
        self.optimizer = optimizer
        self._settings = own[0][0].param_groups[0]
        self._parts = {
            stacked: [(each, parameters[at]) for each, parameters in own]
            for at, stacked in enumerate(optimizer.param_groups[0]["params"])
        }

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Moves the stacked parameters along their gradients."""
        self.optimizer.step()

    @torch.no_grad()
    def gather(self) -> None:
        """Takes settings and states as they are now."""
        self.optimizer.param_groups[0].update({key: value for key, value in self._settings.items() if key != "params"})
        for stacked, parts in self._parts.items():
            states = [optimizer.state.get(parameter, {}) for optimizer, parameter in parts]
            self.optimizer.state[stacked] = {key: _stack([state[key] for state in states]) for key in states[0]}

    @torch.no_grad()
    def scatter(self) -> None:
        """Gives each network's optimizer its state."""
        for stacked, parts in self._parts.items():
            for key, value in self.optimizer.state[stacked].items():
                for at, (optimizer, parameter) in enumerate(parts):
                    optimizer.state[parameter][key] = _share(value, at)


def _stack(values: Sequence[Any]) -> Any:
    """Tensors of a parameter's shape stacked; what counts steps is the same for all."""
    return torch.stack(list(values)) if isinstance(values[0], Tensor) and values[0].dim() else _copy(values[0])


def _share(value: Any, at: int) -> Any:
    """The part of one network."""
    return value[at].clone() if isinstance(value, Tensor) and value.dim() else _copy(value)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
