"""Training in phases, one after the other in one run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_anndl.modules.line_search import refuse_line_search


@dataclass(frozen=True)
class Phase:
    """A part of a training: what is learnt, how, and for how long.

    Args:
        name: as figures show it.
        epochs: its length; 0 leaves the phase out.
        modules: whose parameters it trains, all others stay as they are.
        optimizer: makes its optimizer from those parameters.
        measure: the loss of a batch, and what else is reported of it, the loss first; a pure function of the batch and
            the weights.
        anneal: whether the learning rate falls in equal steps, epoch by epoch, so that it would be 0 after the last;
            where the phase is prolonged it stays as it was in the last.
    """

    name: str
    epochs: int
    modules: tuple[nn.Module, ...]
    optimizer: OptimizerCallable
    measure: Callable[[Any], dict[str, Tensor]]
    anneal: bool = False

    def make_optimizer(self) -> Optimizer:
        """The optimizer of the phase's parameters.

        Raises:
            InputError: it needs a closure, L-BFGS for instance.
        """
        optimizer: Optimizer = self.optimizer([each for module in self.modules for each in module.parameters()])
        refuse_line_search(optimizer, f"the optimizer of phase {self.name}")
        return optimizer

    def set_rate(self, optimizer: Any, epoch: int) -> None:
        """Gives the phase's optimizer the learning rate of an epoch, counted from 0 within the phase."""
        if self.anneal:
            share = max(1, self.epochs - epoch) / self.epochs
            for group in optimizer.param_groups:
                group["lr"] = share * optimizer.defaults["lr"]


class Phases:
    """Phases in their order, those of no epochs left out.

    Which phase an epoch belongs to is a function of the epoch alone, so that a run goes on in the phase that it was
    interrupted in. The last one has no end: training that goes on longer than planned prolongs it; and it alone may end
    earlier, by early stopping. An exercise makes one optimizer for each in `make_optimizers`, in this order, so that a
    checkpoint holds the state of them all.

    >>> phases = Phases([Phase(name, epochs, (), None, None) for name, epochs in (("a", 2), ("b", 0), ("c", 3))])
    >>> phases.epochs, [phases.index(epoch) for epoch in range(6)], phases.starts
    (5, [0, 0, 1, 1, 1, 1], {'a': 0, 'c': 2})
    """

    def __init__(self, phases: Iterable[Phase]) -> None:
        self.phases = [phase for phase in phases if phase.epochs]

    @property
    def epochs(self) -> int:
        """How many they have in all."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def starts(self) -> dict[str, int]:
        """The first epoch of each phase, by its name."""
        ends = accumulate((phase.epochs for phase in self.phases), initial=0)
        return {phase.name: start for phase, start in zip(self.phases, ends, strict=False)}

    def index(self, epoch: int) -> int:
        """The number of the phase that an epoch belongs to, both counted from 0."""
        return sum(start <= epoch for start in self.starts.values()) - 1

    def at(self, epoch: int) -> Phase:
        """The phase that an epoch belongs to."""
        return self.phases[self.index(epoch)]

    def is_last(self, epoch: int) -> bool:
        """Whether an epoch belongs to the last phase, the only one that early stopping may end."""
        return self.index(epoch) == len(self.phases) - 1

    def begins(self, epoch: int) -> bool:
        """Whether a phase begins with an epoch."""
        return epoch in self.starts.values()

    def make_optimizers(self) -> list[Optimizer]:
        """An optimizer for each phase."""
        return [phase.make_optimizer() for phase in self.phases]

    def enter(self, module: LightningModule) -> Any:
        """The optimizer of the phase of a module's epoch, before its first step, at the epoch's learning rate.

        At the start of a phase callbacks forget what the one before has measured, which says nothing of this one.
        """
        epoch = module.current_epoch
        if self.begins(epoch):
            module.trainer.callback_metrics.clear()
        made = module.optimizers()
        optimizer = made[self.index(epoch)] if isinstance(made, list) else made
        phase = self.at(epoch)
        phase.set_rate(optimizer, epoch - self.starts[phase.name])
        return optimizer
