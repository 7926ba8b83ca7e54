"""Binary images from grey ones."""

from typing import Literal

import torch
from torch import Tensor

Binarization = Literal["none", "dynamic", "threshold"]
"""Grey levels as they are; 1 with the grey level as probability; 1 above a half."""


def binarize(images: Tensor, how: Binarization, generator: torch.Generator) -> Tensor:
    """Images of zeros and ones from grey levels in [0, 1], or these themselves.

    Drawing anew in each epoch is what likelihoods of MNIST are measured on since Salakhutdinov & Murray (ICML 2008);
    a draw once for all is another data set, two nats apart.
    """
    match how:
        case "dynamic":
            return torch.bernoulli(images, generator=generator)
        case "threshold":
            return (images > 0.5).to(images.dtype)
    return images
