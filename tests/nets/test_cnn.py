import copy

import pytest
import torch
from torch import nn

from lit_anndl.nets.cnn import ConvNet


@pytest.mark.parametrize(("layer", "count"), [(0, 320), (3, 18_496), (8, 16_010)])
def test_number_of_parameters(layer: int, count: int) -> None:
    net = ConvNet()
    assert sum(p.numel() for p in net[layer].parameters()) == count
    assert sum(p.numel() for p in net.parameters()) == 320 + 18_496 + 16_010


@pytest.mark.parametrize(("batch", "classes"), [(1, 10), (5, 10), (3, 7)])
def test_output_shape(batch: int, classes: int) -> None:
    assert ConvNet(classes)(torch.zeros(batch, 1, 28, 28)).shape == (batch, classes)


def test_sizes_on_the_way() -> None:
    sizes, x = [], torch.zeros(2, 1, 28, 28)
    for layer in ConvNet():
        x = layer(x)
        sizes.append(tuple(x.shape[1:]))
    convolutions = [(32, 26, 26), (32, 26, 26), (32, 13, 13), (64, 11, 11), (64, 11, 11), (64, 5, 5)]
    assert sizes == [*convolutions, (1600,), (1600,), (10,)]


def test_memory_format_changes_no_number() -> None:
    torch.manual_seed(0)
    net, images = ConvNet(dropout=0.0), torch.rand(4, 1, 28, 28)
    assert net[3].weight.is_contiguous(memory_format=torch.channels_last)
    contiguous = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    assert contiguous[3].weight.is_contiguous()
    torch.testing.assert_close(net(images), contiguous(images), rtol=1e-5, atol=1e-5)
    for made in (net, contiguous):
        nn.functional.cross_entropy(made(images), torch.arange(4)).backward()
    for ours, theirs in zip(net.parameters(), contiguous.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    net, images = ConvNet(dropout=0.5), torch.rand(2, 1, 28, 28)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


def test_an_image_knows_nothing_of_its_batch() -> None:
    torch.manual_seed(0)
    net, images = ConvNet().eval(), torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]), rtol=1e-5, atol=1e-5)
