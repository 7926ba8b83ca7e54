"""What pretraining and fine-tuning have made of a perceptron of digits: curves, accuracy, first layer and codes."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.plots.images import filter_panels, image_rows
from lit_anndl.plots.latent import planes
from lit_anndl.plots.learning import bars, curves
from lit_anndl.quality.latent_space import LatentSpace
from lit_anndl.runtime.records import History

_FILTERS = 64
_SHOWN = 10
_CURVES = {"mse": "mean squared error per unit", "loss": "cross-entropy [nats]", "accuracy": "accuracy"}

Nets = Mapping[str, nn.Sequential]
"""Perceptrons, linear layers and units in turn, by when they were: before fine-tuning, after it."""


def accuracies(nets: Nets, data: MNISTData) -> dict[str, dict[str, float]]:
    """The accuracies on validation images, where there are some, and on test images."""
    held_out = {"validation": data.validation, "test": data.test}
    return {
        name: {when: _accuracy(net, *batch) for when, net in nets.items()} for name, batch in held_out.items() if batch
    }


def learning_curves(history: History, starts: Mapping[str, int]) -> Iterator[tuple[str, Figure]]:
    """Metrics by epoch, those that were logged, with the first epoch of each phase."""
    for name, ylabel in _CURVES.items():
        if logged := [each for each in (f"train/{name}", f"val/{name}") if each in history]:
            yield name, curves(history, logged, ylabel, log=name != "accuracy", phases=starts)


def figures(nets: Nets, data: MNISTData, tsne_images: int) -> Iterator[tuple[str, Figure]]:
    """The accuracy, the first layer and the codes, before and after fine-tuning."""
    yield "accuracy_by_phase", bars(accuracies(nets, data), "accuracy")
    yield "features", _first_layers(nets)
    images, labels = data.test
    codes = {f"codes {when}": _outputs(net[:-1], images).numpy() for when, net in nets.items()}
    for figure in planes(codes, labels.numpy(), tsne_images):
        yield "code_maps", figure


def _first_layers(nets: Nets) -> Figure:
    """The first layers' weights as images."""
    weights = {
        when: next(net.parameters()).detach().cpu().float().unflatten(1, (1, SIDE, SIDE)) for when, net in nets.items()
    }
    units = len(next(iter(weights.values())))
    title = f"first layer: weights of {min(units, _FILTERS)} of {units} units"
    return filter_panels({when: each[:_FILTERS] for when, each in weights.items()}, title)


def pretrained_space(perceptron: nn.Sequential, decoders: nn.ModuleList) -> LatentSpace:
    """The codes of a pretrained perceptron, and what its layers' decoders, from the last on, make of them."""
    encoder, layers = (deepcopy(each).double() for each in (perceptron[:-1], decoders))

    def decode(codes: Tensor) -> Tensor:
        for layer in reversed(layers):
            codes = layer(codes)
        images: Tensor = codes.unflatten(1, (1, SIDE, SIDE))
        return images

    return LatentSpace(lambda images: encoder(images.flatten(1)), decode)


@torch.no_grad()
def reconstructions(space: LatentSpace, images: Tensor) -> Figure:
    """Some images (n, 1, 28, 28), and what comes back from their codes."""
    shown = images[:_SHOWN].double()
    rows = {"original": shown, "from the\npretrained code": space.decode(space.encode(shown))}
    title = "test images, and what the layers' decoders make of their codes before fine-tuning"
    return image_rows({name: each[:, 0].float().cpu().numpy() for name, each in rows.items()}, title)


def _accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((_outputs(net, images).argmax(dim=1) == labels).float().mean())


@torch.no_grad()
def _outputs(net: nn.Module, images: Tensor) -> Tensor:
    """What a net makes of images (n, 1, 28, 28), on the CPU."""
    like = next(net.parameters())
    return in_batches(lambda batch: net(batch.flatten(1).to(like)).cpu().float(), images)
