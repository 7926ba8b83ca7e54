"""Exercises that tell the class of an image."""

from collections.abc import Iterator

import torch
from jsonargparse.typing import ClosedUnitInterval
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics.functional import confusion_matrix

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.classification import loss_and_accuracy
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.plots.confusion_matrix import confusion
from lit_anndl.plots.images import worst_mistakes
from lit_anndl.plots.learning import curves
from lit_anndl.runtime.records import History


class ImageClassifier(GradientExercise[MNISTData]):
    """Classification of grey images by cross-entropy, whatever the net.

    Metrics: `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`, `val/` and `test/`; in training
    they are taken before each step, with dropout on, and from labels that are smoothed, if they are.

    Args:
        optimizer: a class of torch.optim with its arguments.
        net: maps images (B, 1, 28, 28) to logits (B, 10).
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; None for a constant rate.
        label_smoothing: ε, for training towards (1 - ε) of the true class and ε of all alike (Szegedy et al. 2016).
    """

    metric_names = ("loss", "accuracy")

    def __init__(
        self,
        optimizer: OptimizerCallable,
        net: nn.Module,
        lr_scheduler: LRSchedulerCallable | None = None,
        label_smoothing: ClosedUnitInterval = 0.0,
    ) -> None:
        super().__init__(optimizer, net, lr_scheduler=lr_scheduler)
        self.label_smoothing = float(label_smoothing)

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """Cross-entropy and accuracy."""
        _, labels = batch
        return loss_and_accuracy(outputs, labels, self.label_smoothing if self.training else 0.0)

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, confusion matrix and the worst mistakes."""
        images, labels = data.test
        scores = torch.cat(self.test_outputs).softmax(dim=1)
        yield "loss", curves(history, ["train/loss", "val/loss"], "cross-entropy [nats]", log=True)
        yield "accuracy", curves(history, ["train/accuracy", "val/accuracy"], "accuracy")
        matrix = confusion_matrix(scores, labels, task="multiclass", num_classes=CLASSES)
        yield "confusion_matrix", confusion(matrix.numpy())
        yield "worst_mistakes", worst_mistakes(images.squeeze(1).numpy(), labels.numpy(), scores.numpy())
