"""Optimization that an exercise conducts itself, Lightning's manual one, at no more cost than it has to have."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import Tensor


class ManualOptimization(LightningModule):
    """A LightningModule that takes the steps of its optimizers, one, several or none, itself.

    Attributes:
        gradient_clipping: the largest norm or value of gradients, and which of the two ("norm" or "value"), None for
            no bound; `trainer.gradient_clip_val`, which Lightning itself leaves to modules that take their own steps.
        bypass_lightning: whether optimizers are without Lightning's wrappers, for these would do nothing.
        own_optimizers: one, or a list.
    """

    gradient_clipping: tuple[float, str] | None = None
    bypass_lightning: bool
    own_optimizers: Any

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._made: Any = None

    def make_optimizers(self) -> Any:
        """What `configure_optimizers` may return, but for schedules that wait for a plateau; none in closed form."""
        return []

    def prepare_optimizers(self) -> None:
        """Makes the optimizers of the fit to come, so that what they refuse is known before a run is recorded."""
        self._made = self.make_optimizers()

    def configure_optimizers(self) -> Any:
        """The optimizers, made now if they are not yet."""
        made, self._made = self._made, None
        return self.make_optimizers() if made is None else made

    def on_train_start(self) -> None:
        """Takes the optimizers, one or a list, without Lightning's wrappers where these would do nothing."""
        self.bypass_lightning = self._may_bypass_lightning()
        self.own_optimizers = self.optimizers(use_pl_optimizer=not self.bypass_lightning)

    def descend(self, optimizer: Any, loss: Tensor) -> None:
        """One step of an optimizer down the gradient of a loss."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip(optimizer)
        self.take_step(optimizer)

    def take_step(self, optimizer: Any, *closure: Callable[[], Tensor]) -> None:
        """One step of an optimizer along the gradients that are there, or that a closure leaves; it is counted.

        Args:
            optimizer: one of `own_optimizers`, or of Lightning's `optimizers()`.
            closure: for optimizers that evaluate the loss several times.
        """
        if not isinstance(optimizer, LightningOptimizer):  # whose own count keeps global_step true
            self.count_steps(1)
        optimizer.step(*closure)

    def clip(self, optimizer: Any) -> None:
        """Bounds the gradients of an optimizer's parameters, if a bound is set.

        As the bound takes account of the scale, so may gradients of half precision be bounded that a fused optimizer
        has yet to scale back, which Lightning's own plugin refuses.
        """
        if self.gradient_clipping:
            bound, kind = self.gradient_clipping
            plugin = self.trainer.precision_plugin
            Precision.clip_gradients(plugin, optimizer, bound * self.gradient_scale, GradClipAlgorithmType(kind))

    @property
    def gradient_scale(self) -> float:
        """What a loss is multiplied by for half precision, and so its gradients are until the optimizer's step."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return float(scaler.get_scale()) if scaler else 1.0

    def schedules(self, interval: str) -> list[Any]:
        """The learning rates' schedules that move by batches ("step") or by epochs ("epoch")."""
        return [each.scheduler for each in self.trainer.lr_scheduler_configs if each.interval == interval]

    def count_steps(self, number: int) -> None:
        """Counts optimizer steps that Lightning does not see."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        progress.ready += number
        progress.completed += number

    def _may_bypass_lightning(self) -> bool:
        """Whether Lightning's wrappers, half of what a tiny step costs, would do nothing: one device, no scaling."""
        precision = type(self.trainer.precision_plugin)
        plain = (Precision, DoublePrecision, HalfPrecision)
        return isinstance(self.trainer.strategy, SingleDeviceStrategy) and precision in plain
