"""How far samples are from validation images while a model is trained, by which weights may be chosen."""

import torch
from torch import Tensor

from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.nets.digit_classifier import digit_classifier
from lit_anndl.quality.sample_quality import Sampler, frechet_distance
from lit_anndl.runtime.errors import InputError


def check(data: MNISTData) -> None:
    """Refuses a single validation image, which has no covariance.

    Raises:
        InputError: it is one.
    """
    if data.has_validation and len(data.validation[0]) < 2:
        raise InputError("data.validation_fraction leaves one image, expected 0, or two images or more")


class SampleDistance:
    """The Fréchet distance between some samples and the validation images, in features of the digit classifier.

    The same latents are drawn each time. Of few samples it is too large by what their covariance lacks, in each epoch
    alike: it compares epochs and runs of as many samples, not with `quality/fid`.

    Args:
        data: whose validation images.
        number: samples.
        device: what is computed on.
    """

    def __init__(self, data: MNISTData, number: int, device: torch.device) -> None:
        self.number, self.device, self.seed = number, device, data.seed
        classifier, _ = digit_classifier()
        self.classifier = classifier.to(device, torch.float32)  # whatever the run's precision
        self.real = self._features(data.validation[0]) if data.has_validation else None

    @torch.no_grad()
    def measure(self, sample: Sampler) -> float:
        """The distance of what is sampled."""
        assert self.real is not None, "without validation images there is no validation"
        generator = stream(self.seed, "samples in validation", self.device)
        return frechet_distance(self.real, self._features(sample(self.number, generator)))

    def _features(self, images: Tensor) -> Tensor:
        """(n, 1, 28, 28) → (n, 96)."""
        return in_batches(lambda part: self.classifier.features(part.to(self.device).float().clamp(0, 1)), images)
