"""Bookkeeping of an epoch of batches: means, divergence, what processes that train together share."""

from collections.abc import Callable, Mapping

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, distributed, nn

from lit_anndl.runtime.errors import RunFailure


class EpochMeans:
    """What the batches of an epoch have measured, each all of it or a part."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Tensor]] = []

    def append(self, metrics: dict[str, Tensor]) -> None:
        """Takes a batch's metrics, scalars."""
        self.batches.append({name: value.detach() for name, value in metrics.items()})

    def extend(self, metrics: dict[str, Tensor]) -> None:
        """Takes the metrics of several batches, (batches) each."""
        columns = [values.unbind() for values in metrics.values()]
        self.batches += [dict(zip(metrics, each, strict=True)) for each in zip(*columns, strict=True)]

    def reset(self) -> dict[str, Tensor]:
        """The means over the batches, with which the next epoch begins anew."""
        batches, self.batches = self.batches, []
        return {name: values.mean() for name, (_, values) in _by_name(batches).items()}

    def refuse_divergence(self, module: LightningModule, latest: int, advice: Callable[[], str]) -> None:
        """Ends a run when a metric of the latest batches, the mean over its processes, is no number any more.

        Args:
            module: what is trained.
            latest: how many batches these are.
            advice: says what to try.

        Raises:
            RunFailure: says at which step, the epoch's batches counted from 0, and what to try.
        """
        before = len(self.batches) - latest
        for name, (steps, own) in _by_name(self.batches[before:]).items():
            values = mean_over_processes(module.trainer, own)
            if not (finite := values.isfinite()).all():
                first = int(finite.int().argmin())
                where = f"at step {before + steps[first]} of epoch {module.current_epoch}"
                raise RunFailure(f"{name} is {float(values[first])} {where}: {advice()}")


def _by_name(batches: list[dict[str, Tensor]]) -> dict[str, tuple[list[int], Tensor]]:
    """For each metric the numbers of the batches that have measured it, and what."""
    names = dict.fromkeys(name for metrics in batches for name in metrics)
    steps = {name: [step for step, metrics in enumerate(batches) if name in metrics] for name in names}
    return {name: (own, torch.stack([batches[step][name] for step in own])) for name, own in steps.items()}


def refuse_infinite_weights(module: LightningModule, advice: Callable[[], str]) -> None:
    """Ends a run whose last step has diverged.

    Raises:
        RunFailure: says after which step, and what to try.
    """
    if not all(parameter.isfinite().all() for parameter in module.parameters()):
        raise RunFailure(
            f"the weights are infinite or no numbers after step {module.global_step} "
            f"(epoch {module.current_epoch}): {advice()}"
        )


def log_epoch(module: LightningModule, metrics: Mapping[str, Tensor]) -> None:
    """Hands an epoch's metrics to loggers and callbacks, for a fifth of what `LightningModule.log` costs per epoch."""
    trainer = module.trainer
    metrics = {name: mean_over_processes(trainer, value) for name, value in metrics.items()}
    trainer.callback_metrics.update(metrics)
    values = {name: float(value) for name, value in metrics.items()}
    for logger in trainer.loggers:
        logger.log_metrics({**values, "epoch": module.current_epoch}, step=module.global_step)


def mean_over_processes(trainer: Trainer, value: Tensor) -> Tensor:
    """The mean of what each process has; a common act of all."""
    if trainer.world_size == 1:
        return value
    mean: Tensor = trainer.strategy.reduce(value.clone(), reduce_op="mean")
    return mean


def share_buffers(module: nn.Module) -> None:
    """Gives all ranks the buffers of rank 0, as the statistics of batch norm, which are those that are saved.

    DistributedDataParallel does so before each forward pass, but not where Lightning leaves the steps to the module.
    """
    if distributed.is_initialized():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)
