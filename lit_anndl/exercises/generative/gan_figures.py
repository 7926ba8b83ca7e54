"""What can be seen of generative adversarial networks: curves, samples over training, interpolations."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.streams import stream
from lit_anndl.nets.adversarial_game import ACCURACIES
from lit_anndl.nets.latent_interpolation import Path, interpolate
from lit_anndl.plots.images import sample_grid
from lit_anndl.plots.interpolation import interpolation
from lit_anndl.plots.learning import curves
from lit_anndl.quality.latent_prior import Decoder
from lit_anndl.runtime.records import History, Table

_PAIRS = 6
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)
_PATH = 10
"""Images on a longer way."""
_PLANE = 15
"""Images along each side of a plane of latents."""


def learning(history: History) -> Iterator[tuple[str, Figure]]:
    """Losses, accuracies, gradients, and the distance from validation images, by epoch."""
    losses = [f"{stage}/{net}_loss" for net in ("discriminator", "generator") for stage in ("train", "val")]
    yield "losses", curves(history, losses, "loss")
    accuracies = [f"{stage}/{name}" for name in ACCURACIES for stage in ("train", "val")]
    yield "discriminator_accuracy", curves(history, accuracies, "share that is taken for what it is")
    single = {
        "generator_gradient": ("train/generator_gradient_norm", "norm of the generator's gradient"),
        "fid": ("val/fid", "Fréchet distance, own features"),
    }
    for name, (metric, ylabel) in single.items():
        if metric in history:
            yield name, curves(history, [metric], ylabel, log=True)


def vanishing_gradient(table: Table) -> Figure:
    """The generator's gradients by the steps that the discriminator is ahead."""
    steps, *losses = table
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for loss in losses:
        axes.plot(table[steps], table[loss], marker=".", label=loss)
    axes.set(xlabel="steps that the discriminator is ahead", ylabel="norm of the generator's gradient")
    axes.set(xscale="symlog", yscale="log", title="a generator that waits, as the discriminator learns")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure


def latent_space(decode: Decoder, latent: int, seed: int) -> Iterator[tuple[str, Figure]]:
    """Straight lines by quarters, longer ones straight and on great circles; of two latents the whole plane."""
    generator = stream(seed, "ends of interpolations")
    start, end = (torch.randn(_PAIRS, latent, generator=generator) for _ in range(2))
    straight = _decoded(decode, start, end, _QUARTERS, "linear")
    yield "interpolation", interpolation(straight, _QUARTERS, "from one latent to another, on straight lines")
    weights = torch.linspace(0, 1, _PATH).tolist()
    paths: tuple[Path, ...] = ("linear", "spherical")
    decoded = [_decoded(decode, start[:3], end[:3], weights, path) for path in paths]
    rows = np.stack(decoded, axis=1).reshape(-1, *decoded[0].shape[1:])
    title = "from one latent to another, on straight lines and on great circles"
    yield "interpolation_path", interpolation(rows, weights, title, list(paths) * 3)
    if latent == 2:
        values = torch.special.ndtri((torch.arange(_PLANE) + 0.5) / _PLANE)
        plane = torch.cartesian_prod(values.flip(0), values).flip(1)  # the second latent grows upwards
        images = decode(plane).float().cpu()
        yield "latent_plane", sample_grid(images, "the plane of latents, at quantiles of the normal law", _PLANE)


def _decoded(decode: Decoder, start: Tensor, end: Tensor, weights: Sequence[float], path: Path) -> np.ndarray:
    """Images between latents: (pairs, weights, 28, 28)."""
    points = interpolate(start, end, torch.tensor(weights), path)
    images = decode(points.flatten(0, 1)).float().cpu()
    return images.reshape(len(start), len(weights), *images.shape[2:]).numpy()
