"""Settings of deep Boltzmann machines: the phases and their lengths, what is refused, which metrics there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_anndl.runtime.errors import InputError

LAYERS = ("first layer", "second layer")
JOINT, CLASSIFIER = "joint", "classifier"
OF_MACHINE = tuple(
    f"{stage}/{name}" for name in ("reconstruction", "free_energy") for stage in ("train", "val", "test")
)
"""The metrics of a machine while it learns."""


@dataclass(frozen=True)
class Epochs:
    """How long the phases are.

    Args:
        layer: each layer alone.
        joint: the whole machine.
        classifier: the classifier that begins as its inference.

    >>> Epochs(10, 100, 15).total
    135
    """

    layer: int
    joint: int
    classifier: int

    @property
    def total(self) -> int:
        """Those of all phases."""
        return len(LAYERS) * self.layer + self.joint + self.classifier


def check(hidden: Sequence[int], epochs: Epochs) -> None:
    """Refuses another number of hidden layers than two, and phases that are all of no length."""
    if len(hidden) != 2:
        raise InputError(f"model.hidden {hidden} was given, expected the units of two layers, such as [500,1000]")
    if not epochs.total:
        raise InputError(
            "model.pretraining_epochs, model.joint_epochs and model.classifier_epochs: 0 were given for all, "
            "expected one or more of one of them"
        )
