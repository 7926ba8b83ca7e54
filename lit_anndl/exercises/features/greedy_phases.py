"""Phases of a stacked autoencoder: each layer's pretraining, a classifier on the frozen code, then fine-tuning."""

from dataclasses import dataclass
from functools import partial

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch.nn.functional import mse_loss

from lit_anndl.data.batches import Batch
from lit_anndl.modules.classification import loss_and_accuracy
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.phases import Phase, Phases
from lit_anndl.nets.encoder_decoder import StackedAutoencoder

CLASSIFIER = "classifier"
FINE_TUNING = "fine-tuning"


@dataclass(frozen=True)
class Part:
    """How a kind of phases is trained: for so many epochs, each by an optimizer of its own."""

    epochs: int
    optimizer: OptimizerCallable


def greedy_phases(net: StackedAutoencoder, pretraining: Part, classifier: Part, fine_tuning: Part) -> Phases:
    """One for each layer, from the first to the code, then the two of the classifier."""
    layers = [
        Phase(
            layer_phase(k),
            pretraining.epochs,
            (net.layer(k), net.decoders[k - 1]),
            pretraining.optimizer,
            partial(reconstruct, net, k),
        )
        for k in range(1, net.depth + 1)
    ]
    readout = Phase(CLASSIFIER, classifier.epochs, (net.readout,), classifier.optimizer, partial(classify_frozen, net))
    everything = Phase(
        FINE_TUNING, fine_tuning.epochs, (net.perceptron,), fine_tuning.optimizer, partial(classify, net)
    )
    return Phases([*layers, readout, everything])


def layer_phase(k: int) -> str:
    """The name of the phase in which layer k, counted from 1, is pretrained."""
    return f"layer {k}"


def reconstruct(net: StackedAutoencoder, k: int, batch: Batch) -> Metrics:
    """The mean squared error of layer k and its decoder, which reconstruct what the frozen layers below make."""
    with torch.no_grad():
        below = net.encode(batch[0], k - 1)
    return {"mse": mse_loss(net.decode(net.layer(k)(below), k), below)}


def classify_frozen(net: StackedAutoencoder, batch: Batch) -> Metrics:
    """Cross-entropy and accuracy of the classifier on the frozen code."""
    with torch.no_grad():
        codes = net.encode(batch[0])
    return loss_and_accuracy(net.readout(codes), batch[1])


def classify(net: StackedAutoencoder, batch: Batch) -> Metrics:
    """Cross-entropy and accuracy."""
    return loss_and_accuracy(net(batch[0]), batch[1])
