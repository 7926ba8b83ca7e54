"""A bigger model: classify handwritten digits with a convolutional network (exercise 1.3)."""

from collections.abc import Iterator
from dataclasses import replace

from jsonargparse.typing import ClosedUnitInterval
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure

from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.image_classifier import ImageClassifier
from lit_anndl.nets.cnn_architectures import VARIANTS
from lit_anndl.nets.convolutional import CNN
from lit_anndl.plots.images import first_filters
from lit_anndl.runtime.records import History


class MNISTCNN(ImageClassifier):
    """Cross-entropy classification by two convolutions and a linear readout, 34 826 parameters.

    Metrics: `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`, `val/` and `test/`;
    in training they are taken with dropout on, before each step, and from labels that are smoothed, if they are.

    Args:
        dropout: probability of zeroing a feature before the readout.
        optimizer: a class of torch.optim with its arguments.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        label_smoothing: share of the target that all classes get alike.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable,
        dropout: ClosedUnitInterval = 0.5,
        lr_scheduler: LRSchedulerCallable | None = None,
        label_smoothing: ClosedUnitInterval = 0.0,
    ) -> None:
        net = CNN(replace(VARIANTS["keras"], head_dropout=dropout), CLASSES)
        super().__init__(optimizer, net, lr_scheduler, label_smoothing)

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, confusion matrix, the worst mistakes and the first layer's filters."""
        yield from super().figures(data, history)
        yield "filters", first_filters(self.net.get_parameter("conv1.weight"))
