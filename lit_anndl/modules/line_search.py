"""L-BFGS, whose line search evaluates a loss several times: where that cannot be."""

import torch
from torch.optim import Optimizer

from lit_anndl.runtime.errors import InputError


def refuse_line_search(optimizer: Optimizer, name: str, why: str = "") -> None:
    """Refuses L-BFGS where one loss cannot be evaluated several times.

    Args:
        optimizer: that was made.
        name: of the setting that it was made by.
        why: a clause that says what is in its way, if that is not plain.

    Raises:
        InputError: it is L-BFGS.
    """
    if isinstance(optimizer, torch.optim.LBFGS):
        reason = f", {why}" if why else ""
        raise InputError(f"{name}: LBFGS was given, expected one without a line search{reason}")


def refuse_blind_line_search(optimizer: Optimizer) -> None:
    """Refuses an L-BFGS whose line search may not look anywhere: at its first failure it would stand still for good.

    torch gives the search `max_eval` - 1 evaluations (earlier versions always 25), and `max_eval` is 1.25 `max_iter`
    by default: none for `max_iter` 1 (https://github.com/pytorch/pytorch/pull/161488).
    """
    for group in optimizer.param_groups if isinstance(optimizer, torch.optim.LBFGS) else []:
        if group["line_search_fn"] and group["max_eval"] < 2:
            raise InputError(
                f"optimizer: with max_eval {group['max_eval']} the line search of L-BFGS has no evaluation to make; "
                f"expected 2 or more, 26 to search as long as torch once did (--model.optimizer.max_eval 26)"
            )
