"""Hidden parts of images, filled in by a restricted Boltzmann machine."""

import torch
from torch import Tensor

from lit_anndl.nets.boltzmann import RBM


@torch.no_grad()
def inpaint(
    rbm: RBM, v: Tensor, hidden: Tensor, steps: int, *, clamp: bool = True, generator: torch.Generator | None = None
) -> Tensor:
    """p(v = 1 | h) of the last of some Gibbs steps that begin with zeros in the hidden part.

    Clamped, the visible part is put back before each step, so that the chain's distribution is p(hidden | visible);
    else it drifts away from the image with the rest.

    Args:
        rbm: the machine.
        v: images (B, visible).
        hidden: the pixels to fill in, bool (visible,).
        steps: how many, 1 at least.
        clamp: whether the visible part stays as it is.
        generator: of the chains.

    Shapes: → (B, visible), where clamped the visible part as given.
    """
    state = probability = v.masked_fill(hidden, 0.0)
    for _ in range(steps):
        state, probability = rbm.gibbs_step(state, generator)
        if clamp:
            state, probability = (torch.where(hidden, each, v) for each in (state, probability))
    return probability
