"""The classifier that comes with the package: distances between its features are comparable only while it stays."""

import pytest
import torch

from lit_anndl.nets.cnn_architectures import VARIANTS
from lit_anndl.nets.convolutional import CNN
from lit_anndl.nets.digit_classifier import digit_classifier

SHA256 = "c7e87e4436db738f8f8bc54791bf645c6d704ee97d97611e9c450c76e847fe5c"


def test_the_weights_are_those_that_published_distances_are_measured_with() -> None:
    net, digest = digit_classifier()
    assert digest == SHA256
    assert sum(parameter.numel() for parameter in net.parameters()) == 61_210
    assert not net.training and not any(parameter.requires_grad for parameter in net.parameters())


def test_logits_are_read_off_the_features() -> None:
    net, _ = digit_classifier()
    images = torch.rand(7, 1, 28, 28)
    features = net.features(images)
    assert features.shape == (7, 96) and features.min() >= 0
    assert net(images).shape == (7, 10)
    torch.testing.assert_close(net(images), features @ net.readout.weight.T + net.readout.bias)


def test_weights_of_another_network_are_refused(tmp_path) -> None:
    path = tmp_path / "baseline.pt"
    torch.save(CNN(VARIANTS["baseline"]).state_dict(), path)
    with pytest.raises(ValueError, match=r"baseline\.pt holds weights of another network"):
        digit_classifier(path)
