"""How large the gradients of a perceptron's layers are, epoch by epoch."""

import torch
from torch import Tensor, nn

from lit_anndl.runtime.records import Table


class GradientRecord:
    """Norms of the loss's gradient by the weights of each layer, the mean over the steps of an epoch.

    Attributes:
        epochs: a list of norms for each epoch, by layer, the classifier's last.
    """

    def __init__(self) -> None:
        self.epochs: list[list[float]] = []
        self._steps: list[Tensor] = []

    def append(self, perceptron: nn.Module) -> None:
        """Takes the gradients of a step."""
        gradients = [each.grad for each in perceptron.parameters() if each.dim() == 2 and each.grad is not None]
        self._steps.append(torch.stack([gradient.norm() for gradient in gradients]))

    def end_epoch(self) -> None:
        """Keeps the means over the epoch's steps, if there were some."""
        if self._steps:
            self.epochs.append(torch.stack(self._steps).float().mean(dim=0).tolist())
            self._steps = []

    def by_layer(self) -> dict[str, list[float]]:
        """The norms by epoch, for each layer."""
        layers = list(map(list, zip(*self.epochs, strict=True)))
        names = [*(f"layer {k}" for k in range(1, len(layers))), "classifier"]
        return dict(zip(names, layers, strict=True))

    def table(self, start: int) -> Table:
        """A line for each epoch, the first of which is `start`."""
        return {"epoch": list(range(start, start + len(self.epochs))), **self.by_layer()}
