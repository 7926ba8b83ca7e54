"""Interpolations between test images, by models that find the latents of images."""

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.nets.latent_interpolation import interpolate
from lit_anndl.plots.interpolation import interpolation

_PAIRS, _POINTS = 6, 9


@torch.no_grad()
def between_images(
    encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor], images: Tensor
) -> dict[str, Figure]:
    """The figure `interpolation`, great circles between the latents of the first images, decoded; none of one image.

    Args:
        encode: images (B, 1, height, width) ↦ latents (B, latent), which are normal.
        decode: back.
        images: (n, 1, height, width), of the model's type and on its device.
    """
    number = min(_PAIRS, len(images) // 2)
    if not number:
        return {}
    latents = encode(images[: 2 * number])
    weights = torch.linspace(0, 1, _POINTS)
    points = interpolate(latents[::2], latents[1::2], weights, "spherical")
    decoded = decode(points.flatten(0, 1)).float().unflatten(0, points.shape[:2]).squeeze(2)
    title = "great circles between the latents of test images"
    return {"interpolation": interpolation(decoded.cpu().numpy(), weights.tolist(), title)}
