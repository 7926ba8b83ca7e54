"""Optimizers of several networks as one."""

from collections.abc import Sequence
from itertools import groupby
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

    Networks next to each other whose optimizers have equal settings, and are as far, are one group of parameters, so
    that seeds of one setting cost one step, and several settings one each.

    The networks' optimizers keep states of their own: `gather` stacks these, `scatter` gives each its share back.

    Args:
        optimizer: of the stacked parameters.
        parameters: these, each with the first dimension P.
        own: P times a network's optimizer, of the same kind, and the parameters of that network, in the order of the
            stacked ones. Networks may share an optimizer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Sequence[nn.Parameter],
        own: Sequence[tuple[Optimizer, Sequence[nn.Parameter]]],
    ) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.own = own
        self._groups: list[slice] = []

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Moves the stacked parameters along their gradients."""
        if len(self._groups) > 1:
            for group, part in zip(self.optimizer.param_groups, self._groups, strict=True):
                for share, stacked in zip(group["params"], self.parameters, strict=True):
                    assert stacked.grad is not None
                    share.grad = stacked.grad[part]
        self.optimizer.step()

    @torch.no_grad()
    def gather(self) -> None:
        """Takes settings and states as they are now."""
        kinds = [(_settings(optimizer), _progress(optimizer, parameters[0])) for optimizer, parameters in self.own]
        self._divide([list(places) for _, places in groupby(range(len(self.own)), key=lambda at: kinds[at])])
        for group, part in zip(self.optimizer.param_groups, self._groups, strict=True):
            group.update(kinds[part.start][0])
            for at, share in enumerate(group["params"]):
                states = [optimizer.state.get(parameters[at], {}) for optimizer, parameters in self.own[part]]
                self.optimizer.state[share] = {key: _stack([state[key] for state in states]) for key in states[0]}

    @torch.no_grad()
    def scatter(self) -> None:
        """Gives each network's optimizer its state."""
        for group, part in zip(self.optimizer.param_groups, self._groups, strict=True):
            for at, share in enumerate(group["params"]):
                for key, value in self.optimizer.state[share].items():
                    for place, (optimizer, parameters) in enumerate(self.own[part]):
                        optimizer.state[parameters[at]][key] = _share(value, place)

    def _divide(self, places: Sequence[Sequence[int]]) -> None:
        """Makes groups of the parameters of networks at these places."""
        groups = [slice(each[0], each[-1] + 1) for each in places]
        if groups == self._groups:
            return
        self._groups = groups
        self.optimizer.state.clear()
        self.optimizer.param_groups = []
        for part in groups:
            whole = len(groups) == 1
            shares = self.parameters if whole else [stacked.detach()[part] for stacked in self.parameters]
            self.optimizer.add_param_group({"params": shares})


def _settings(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's settings, which its first group has."""
    return {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}


def _progress(optimizer: Optimizer, parameter: nn.Parameter) -> dict[str, Any]:
    """What an optimizer counts of a parameter, such as its steps; None for what it keeps of each number."""
    state = optimizer.state.get(parameter, {})
    return {key: None if isinstance(value, Tensor) and value.dim() else value for key, value in state.items()}


def _stack(values: Sequence[Any]) -> Any:
    """Tensors of a parameter's shape stacked; what counts steps is the same for all."""
    return torch.stack(list(values)) if isinstance(values[0], Tensor) and values[0].dim() else _copy(values[0])


def _share(value: Any, at: int) -> Any:
    """The part of one network."""
    return value[at].clone() if isinstance(value, Tensor) and value.dim() else _copy(value)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
