"""The classifier of digits that comes with the package: what a generated image is taken for, and its features.

Fréchet distances, precision and coverage are distances between features, so that they mean something on one scale
alone; the weights' SHA-256 says which. They were trained by the preset `digit_classifier`, on 54 000 images of MNIST,
with `python scripts/make_digit_classifier.py`, and tell 99.53 % of the 10 000 test images right.
"""

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor, nn

from lit_anndl.nets.cnn_architectures import Architecture
from lit_anndl.nets.convolutional import CNN

WEIGHTS = Path(__file__).with_suffix(".pt")
ARCHITECTURE = Architecture(channels=(16, 32, 48), padding=1, pooling=2, head=(96,))


class DigitClassifier(nn.Module):
    """A convolutional network of 61 210 parameters, frozen, in evaluation mode.

    Args:
        net: the network.

    Shapes: images (B, 1, 28, 28) in [0, 1] → logits (B, 10).
    """

    def __init__(self, net: CNN) -> None:
        super().__init__()
        *features, readout = net
        self.body = nn.Sequential(*features)
        self.readout = readout
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """What the last hidden layer hands on, after ReLU: (B, 96)."""
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Class scores."""
        logits: Tensor = self.readout(self.features(images))
        return logits


def digit_classifier(path: Path = WEIGHTS) -> tuple[DigitClassifier, str]:
    """The classifier of a file of weights, by default the package's, and the file's SHA-256.

    Raises:
        ValueError: the file holds other weights than those of this network.
    """
    content = path.read_bytes()
    with torch.device("meta"):  # no initial weights, which would be drawn from torch's own generator
        net = CNN(ARCHITECTURE)
    try:
        net.load_state_dict(torch.load(io.BytesIO(content), weights_only=True), assign=True)
    except RuntimeError as error:
        raise ValueError(f"{path} holds weights of another network") from error
    return DigitClassifier(net), hashlib.sha256(content).hexdigest()
