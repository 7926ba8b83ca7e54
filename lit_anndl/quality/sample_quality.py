"""How good the samples of a generative model are, on one scale for all of them.

Distances are between features of the digit classifier that comes with the package, so that they compare with no
published Fréchet distance, whose features are Inception's.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.nets.digit_classifier import DigitClassifier, digit_classifier
from lit_anndl.nets.edge_energy import edge_energy
from lit_anndl.nets.neighbourhoods import agreement, nearest
from lit_anndl.plots.images import image_rows, sample_grid
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.timed import timed
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import Table
from lit_anndl.runtime.terminal import announce

_NEIGHBOURS = 5
_OF_SAMPLES = (
    "fid",
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "classes",
    "least_frequent_class",
    "memorized",
    "edge_energy",
)
SUMMARIES = (
    *(f"quality/{name}" for name in _OF_SAMPLES),
    *(f"quality/{name}_floor" for name in _OF_SAMPLES),
    "quality/seconds",
)
_SUBSETS, _SUBSET_SIZE = 100, 1000
"""What the kernel distance is the mean of, as its authors have it."""
_TIMED = 10_000
_GRID = 100
_SHOWN = 12

Sampler = Callable[[int, torch.Generator], Tensor]
"""A number of images and a generator ↦ images in [0, 1] (n, 1, 28, 28)."""


def check(number: int, data: MNISTData) -> None:
    """Refuses too few samples, or images to compare them with, to have neighbours."""
    if 0 < number <= _NEIGHBOURS:
        raise InputError(f"model.quality_samples {number} was given, expected 0 for none, or more than {_NEIGHBOURS}")
    if number and (images := _comparable(number, data)) <= _NEIGHBOURS:
        raise InputError(
            f"model.quality_samples {number} was given with {images} images to compare with, expected 0, or more images"
        )


def _comparable(number: int, data: MNISTData) -> int:
    """How many samples there are as many test and training images for."""
    return min(number, len(data.grey_test), len(data.train[0]))


@dataclass(frozen=True)
class Samples:
    """What was drawn.

    Args:
        images: in [0, 1] (n, 1, 28, 28).
        seconds: that 10 000 take.
    """

    images: Tensor
    seconds: float


def measure(sample: Sampler, data: MNISTData, number: int, device: torch.device) -> Findings:
    """The quality of samples beside as many test images, see `compared`.

    Args:
        sample: draws samples.
        data: the images that were learnt from, and the test images.
        number: samples, and test images, as many as there are at most; 0 for none of this.
        device: what is computed on.
    """
    return compared(draw(sample, data, number, device), data, device) if number else Findings()


@torch.no_grad()
def draw(sample: Sampler, data: MNISTData, number: int, device: torch.device) -> Samples:
    """As many samples as are wanted and there are test and training images for."""
    number = _comparable(number, data)
    announce(f"sample quality: {number} samples beside {number} test images, a minute or a quarter of an hour")
    images, seconds = timed(lambda: sample(number, drawing(data, device)).float().clamp(0, 1), device)
    return Samples(images, seconds * _TIMED / number)


def drawing(data: MNISTData, device: torch.device) -> torch.Generator:
    """What the samples are drawn from."""
    return stream(data.seed, "samples", device)


def test_images(data: MNISTData, number: int) -> Tensor:
    """So many test images at random: MNIST's first half is harder than its second."""
    among = torch.randperm(len(data.grey_test), generator=data.stream("test images beside samples"))
    return data.grey_test[among[:number].sort().values]


@torch.no_grad()
def compared(drawn: Samples, data: MNISTData, device: torch.device) -> Findings:
    """The quality of samples beside as many test images; of each metric the floor, that of training images.

    `quality/fid` and `quality/kid`, the Fréchet distance and the kernel distance (times 1000) of features;
    `quality/precision`, `recall`, `density`, `coverage`, see `nets.neighbourhoods.agreement`; `quality/classes`, the
    entropy in bits of the classes that samples are taken for, whose shares are in the table `quality_classes`, and
    `quality/least_frequent_class`, the smallest of them;
    `quality/memorized`, the share of samples that lie nearer to some training image, pixel by pixel, than the median
    test image does: 1/2 where nothing is learnt by heart, but blurred images lie nearer to all; `quality/edge_energy`,
    how sharp they are, see `nets.edge_energy`; `quality/seconds`, what 10 000 samples take. `quality/…_floor` is what
    training images in place of samples have; the classifier has seen them, so that fresh images would be nearer to the
    test images still. Precision and density alone say little: where features fall into one wide ball, as those of
    noise do, precision is 1, and blurring real images raises both. Of other data than digits these are a digit
    classifier's features all the same.
    """
    samples, number = drawn.images, len(drawn.images)
    classifier, _ = digit_classifier()
    yardstick = _Yardstick(classifier.to(device), data.train[0].to(device), test_images(data, number).to(device))
    shares, found = yardstick.shares(samples), yardstick.measure(samples)
    order = torch.randperm(len(data.train[0]), generator=data.stream("training images as samples"))
    learnt = data.train[0][order[:number]].to(device)
    floor = yardstick.measure(learnt, are_training_images=True)
    summary = {f"quality/{name}": value for name, value in found.items()}
    summary |= {f"quality/{name}_floor": value for name, value in floor.items()}
    table: Table = {
        "metric": list(found),
        "samples": list(found.values()),
        "training images": list(floor.values()),
        "number": [number] * len(found),
    }
    classes: Table = {
        "class": list(range(CLASSES)),
        "samples": shares.tolist(),
        "training images": yardstick.shares(learnt).tolist(),
    }
    tables = {"quality": table, "quality_classes": classes, "classifier": classifier_table()}
    figures = {"samples": sample_grid(samples[:_GRID].cpu(), "samples"), "nearest": yardstick.nearest_figure(samples)}
    return Findings({**summary, "quality/seconds": drawn.seconds}, tables, figures)


class _Yardstick:
    """Test images, and the training images that samples may repeat."""

    def __init__(self, classifier: DigitClassifier, train: Tensor, test: Tensor) -> None:
        self.classifier, self.train = classifier, train
        self.features = self._features(test)
        self.typical = nearest(test.flatten(1), train.flatten(1))[0].median()

    def shares(self, images: Tensor) -> Tensor:
        """The shares of images that are taken for each class: (10,)."""
        classes = self.classifier.readout(self._features(images)).argmax(dim=1)
        return torch.bincount(classes, minlength=CLASSES) / len(classes)

    def measure(self, images: Tensor, are_training_images: bool = False) -> dict[str, float]:
        """Each metric of some images; those for training have themselves as neighbours, the next one counts."""
        features, shares = self._features(images), self.shares(images)
        distances, _ = nearest(images.flatten(1), self.train.flatten(1), 2 if are_training_images else 1)
        values = (
            frechet_distance(self.features, features),
            1000 * _kid(self.features, features),
            *agreement(self.features, features, _NEIGHBOURS),
            entropy_bits(shares),
            float(shares.min()),
            float((distances < self.typical).double().mean()),
            float(edge_energy(images).mean()),
        )
        return dict(zip(_OF_SAMPLES, values, strict=True))

    def nearest_figure(self, samples: Tensor) -> Figure:
        """Some samples, each above the training image that is nearest."""
        shown = samples[:_SHOWN]
        _, indices = nearest(shown.flatten(1), self.train.flatten(1))
        rows = {"sample": shown, "nearest\ntraining image": self.train[indices]}
        title = "samples, and the training images nearest to them, pixel by pixel"
        return image_rows({name: images[:, 0].cpu().numpy() for name, images in rows.items()}, title)

    def _features(self, images: Tensor) -> Tensor:
        return in_batches(self.classifier.features, images)


class _AsTheyAre(nn.Identity):
    """In place of Inception: what torchmetrics gets are features already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """|μ - μ'|² + tr(Σ + Σ' - 2 (ΣΣ')^½) of features (n, d) (Heusel et al., NeurIPS 2017)."""
    metric = FrechetInceptionDistance(_AsTheyAre(real.shape[1])).to(real.device)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return float(metric.compute())


def _kid(real: Tensor, generated: Tensor) -> float:
    """The squared maximum mean discrepancy of features (n, d), unbiased, cubic kernel (Bińkowski et al., ICLR 2018)."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that it keeps all features
        torch.default_generator.manual_seed(0)  # of the subsets
        metric = KernelInceptionDistance(
            _AsTheyAre(real.shape[1]), _SUBSETS, min(_SUBSET_SIZE, len(real), len(generated))
        )
        metric.update(real.double(), real=True)  # small differences of large sums
        metric.update(generated.double(), real=False)
        mean, _ = metric.compute()
    return float(mean)


def entropy_bits(shares: Tensor) -> float:
    """The entropy of some shares: log₂ 10 = 3.32 for ten classes that are equally frequent."""
    present = shares[shares > 0]
    return abs(float((present * present.log2()).sum()))
