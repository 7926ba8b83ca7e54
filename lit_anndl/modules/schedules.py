"""Schedules of learning rates, which are moved after each epoch: the steps of torch's schedules are epochs here.

One cycle therefore leaves the whole last epoch its least rate, by default max_lr / 250 000, so that little is learnt in
it; and unless `cycle_momentum` is false, it moves Adam's β₁ too, from 0.95 to 0.85 and back.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lit_anndl.runtime.errors import InputError


def with_schedule(optimizer: Optimizer, make_scheduler: Callable[[Optimizer], LRScheduler] | None) -> Any:
    """What `configure_optimizers` returns of an optimizer whose learning rate has a schedule, or is constant for None.

    Raises:
        InputError: the schedule waits for a metric to stop falling.
    """
    if make_scheduler is None:
        return optimizer
    scheduler = make_scheduler(optimizer)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise InputError(
            "model.lr_scheduler: ReduceLROnPlateau was given, expected a schedule without a metric (CosineAnnealingLR)"
        )
    return {"optimizer": optimizer, "lr_scheduler": scheduler}


def end_of_schedule(arguments: Mapping[str, Any]) -> tuple[str, int] | tuple[None, None]:
    """The setting that says after how many epochs the schedule among a model's arguments ends, and their number.

    `T_max` of a cosine; of one cycle `total_steps`, or else `epochs`, of `steps_per_epoch` steps each: as the steps of
    a schedule are epochs here, it ends after the product of the two.

    >>> end_of_schedule({"lr_scheduler": {"init_args": {"epochs": 20, "steps_per_epoch": 3}}})
    ('model.lr_scheduler.epochs', 60)
    """
    options = (arguments.get("lr_scheduler") or {}).get("init_args") or {}
    epochs, steps_per_epoch = options.get("epochs"), options.get("steps_per_epoch")
    cycle = epochs * steps_per_epoch if isinstance(epochs, int) and isinstance(steps_per_epoch, int) else None
    ends = {"T_max": options.get("T_max"), "total_steps": options.get("total_steps"), "epochs": cycle}
    found = ((f"model.lr_scheduler.{name}", end) for name, end in ends.items() if isinstance(end, int))
    return next(found, (None, None))
