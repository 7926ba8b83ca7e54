"""A bigger model: classify handwritten digits with a convolutional network (exercise 1.3)."""

from collections.abc import Iterator

import torch
from jsonargparse.typing import ClosedUnitInterval
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional import confusion_matrix

from lit_anndl.data.batches import Batch
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.cnn import ConvNet
from lit_anndl.plots.images import confusion, filters, image_grid
from lit_anndl.plots.learning import curves
from lit_anndl.runtime.records import History

CLASSES = 10
_WORST = 25
"""How many misclassified images are shown."""


class MNISTCNN(GradientExercise[MNISTData]):
    """Cross-entropy classification by two convolutions and a linear readout, 34 826 parameters.

    Metrics: `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`, `val/` and `test/`;
    in training they are taken with dropout on, before each step.

    Args:
        dropout: probability of zeroing a feature before the readout.
        optimizer: a class of torch.optim with its arguments.
    """

    metric_names = ("loss", "accuracy")

    def __init__(self, optimizer: OptimizerCallable, dropout: ClosedUnitInterval = 0.5) -> None:
        super().__init__(optimizer, ConvNet(CLASSES, dropout))

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """Cross-entropy and accuracy."""
        _, labels = batch
        return {
            "loss": cross_entropy(outputs, labels),
            "accuracy": (outputs.argmax(dim=1) == labels).float().mean(),
        }

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, confusion matrix, the worst mistakes and the first layer's filters."""
        images, labels = data.test
        scores = torch.cat(self.test_outputs).softmax(dim=1)
        yield "loss", curves(history, ["train/loss", "val/loss"], "cross-entropy [nats]", log=True)
        yield "accuracy", curves(history, ["train/accuracy", "val/accuracy"], "accuracy")
        matrix = confusion_matrix(scores, labels, task="multiclass", num_classes=CLASSES)
        yield "confusion_matrix", confusion(matrix.numpy())
        yield "worst_mistakes", worst_mistakes(images, labels, scores)
        weights = self.net.get_parameter("0.weight").detach().cpu()
        yield "filters", filters(weights, f"first layer: {len(weights)} filters")


def worst_mistakes(images: Tensor, labels: Tensor, scores: Tensor) -> Figure:
    """The misclassified images whose wrong class scored highest, with true class, prediction and scores."""
    top, predicted = scores.max(dim=1)
    wrong = (predicted != labels).nonzero().squeeze(1)
    worst = wrong[top[wrong].argsort(descending=True)][:_WORST]
    captions = [f"{labels[i]} as {predicted[i]}\n{scores[i, labels[i]]:.3f} | {top[i]:.3f}" for i in worst.tolist()]
    title = f"{len(wrong)} of {len(labels)} wrong; the surest: true as predicted, score of true | of predicted"
    return image_grid(images[worst].squeeze(1).numpy(), captions, title)
