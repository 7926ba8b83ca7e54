import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from lit_anndl.nets.cnn_architectures import VARIANTS, Architecture
from lit_anndl.nets.convolutional import CNN, NONDECREASING
from lit_anndl.nets.mlp import ACTIVATIONS

KERAS = VARIANTS["keras"]
PARAMETERS = {
    "baseline": 49_302,
    "model_1": 57_110,
    "model_2": 896_906,
    "model_3": 11_498,
    "model_4": 897_354,
    "model_5": 30_102,
    "mlp": 49_300,
    "keras": 34_826,
}


def test_parameters_of_the_variants_are_the_published_ones() -> None:
    found = {name: sum(p.numel() for p in CNN(variant).parameters()) for name, variant in VARIANTS.items()}
    assert found == PARAMETERS


@pytest.mark.parametrize("name", VARIANTS)
def test_sizes_are_those_of_what_is_computed(name: str) -> None:
    net, x = CNN(VARIANTS[name]).eval(), torch.zeros(2, 1, 28, 28)
    stated = {layer.name: (layer.channels, layer.height, layer.width) for layer in net.layers}
    seen = {"image": (1, 28, 28)}
    for layer, module in net.named_children():
        x = module(x)
        if layer in stated:
            seen[layer] = tuple(x.shape[1:])
    assert seen == stated and x.shape == (2, 10)


@pytest.mark.parametrize(("batch", "classes"), [(1, 10), (5, 10), (3, 7)])
def test_output_shape(batch: int, classes: int) -> None:
    assert CNN(KERAS, classes)(torch.zeros(batch, 1, 28, 28)).shape == (batch, classes)


def test_layers_come_in_their_order() -> None:
    net = CNN(Architecture([4, 8], pooling=[1, 2], batch_norm=True, dropout=0.1, head=[5], head_dropout=0.2))
    convolutions = "conv1 norm1 activation1 dropout1 conv2 norm2 pool2 activation2 dropout2"
    head = "flatten head_dropout1 dense1 head_activation1 head_dropout2 dense2"
    assert [name for name, _ in net.named_children()] == f"{convolutions} {head}".split()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernels": 40}, r"^kernels: conv1 gets 1×28×28: a kernel of 40 does not fit into 28 values, expected 28"),
        ({"kernels": [3, 27]}, r"^kernels: conv2 gets 4×26×26: a kernel of 27 does not fit into 26 values"),
        ({"pooling": [14, 2]}, r"conv2 gets 4×1×1: a kernel of 3 does not fit into 1 values"),
        ({"pooling": [13, 3], "kernels": 1}, r"^pooling: pool2 gets 8×2×2: a kernel of 3 does not fit into 2 values"),
        ({"last_size": 3}, r"last_size: 3 was given without last_pooling, expected both"),
        ({"last_size": 25, "last_pooling": "max"}, r"last_size: 25 was given for 24×24, expected 24 at most"),
        ({"strides": [1, 2, 2]}, r"strides: 3 were given for 2 convolutions, expected one number, or one for each"),
    ],
)
def test_what_does_not_fit_is_named(settings, said) -> None:
    with pytest.raises(ValueError, match=said):
        CNN(Architecture([4, 8], **settings))


def published_order(net: CNN) -> nn.Sequential:
    """The same layers, each pooling after its activation."""
    layers = dict(net.named_children())
    swapped = {f"pool{number}": f"activation{number}" for number in (1, 2)}
    swapped |= {after: before for before, after in swapped.items()}
    return nn.Sequential(*(layers[swapped.get(name, name)] for name in layers))


def images_with_ties() -> dict[str, torch.Tensor]:
    """Noise, noise on a black background as digits are, few grey levels, and one constant."""
    noise = torch.rand(6, 1, 28, 28)
    framed = torch.zeros_like(noise)
    framed[:, :, 8:20, 8:20] = noise[:, :, 8:20, 8:20]
    return {"noise": noise, "framed": framed, "levels": (2 * noise).round(), "constant": torch.full_like(noise, 0.5)}


@pytest.mark.parametrize("kind", ["noise", "framed", "levels", "constant"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", sorted(NONDECREASING))
def test_pooling_before_the_activation_changes_neither_numbers_nor_gradients(activation, batch_norm, kind) -> None:
    torch.manual_seed(0)
    architecture = Architecture([8, 16], pooling=2, head=[], activation=activation, batch_norm=batch_norm)
    net, images = CNN(architecture), images_with_ties()[kind]
    names = [name for name, _ in net.named_children()]
    assert names.index("pool1") < names.index("activation1") and names.index("pool2") < names.index("activation2")
    published, found = published_order(net), []
    assert list(published).index(net.activation1) < list(published).index(net.pool1)
    for each in (net, published):
        net.zero_grad()
        logits = each(images)
        nn.functional.cross_entropy(logits, torch.arange(6)).backward()
        found.append([logits.detach(), *(parameter.grad.clone() for parameter in net.parameters())])
    exact = activation in ("relu", "leaky_relu")  # others are rounded, not always upwards with their argument
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, **({"rtol": 0, "atol": 0} if exact else {}))


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - NONDECREASING))
def test_activations_that_decrease_somewhere_come_first(activation) -> None:
    x = torch.linspace(-5, 5, 1001)
    assert (ACTIVATIONS[activation]()(x).diff() < -1e-6).any()
    names = [name for name, _ in CNN(Architecture([4], pooling=2, activation=activation)).named_children()]
    assert names.index("activation1") < names.index("pool1")


@pytest.mark.parametrize("activation", sorted(NONDECREASING))
def test_the_others_decrease_nowhere(activation) -> None:
    assert (ACTIVATIONS[activation]()(torch.linspace(-20, 20, 4001).double()).diff() >= 0).all()


@pytest.mark.parametrize("side", range(1, 12))
def test_the_last_pooling_sees_as_many_values_as_gradients_say(side: int) -> None:
    for size in range(1, side + 1):
        net = CNN(Architecture([], last_pooling="average", last_size=size), image=(1, side, side))
        image = torch.rand(1, 1, side, side, requires_grad=True)
        pooled = net.last_pool(image)[0, 0].diagonal()
        seen = [torch.autograd.grad(each, image, retain_graph=True)[0][0, 0].any(dim=0).sum() for each in pooled]
        assert net.layers[-1].kernel == max(seen)


def test_memory_format_changes_no_number() -> None:
    torch.manual_seed(0)
    net, images = CNN(replace(KERAS, head_dropout=0.0)), torch.rand(4, 1, 28, 28)
    assert net.conv2.weight.is_contiguous(memory_format=torch.channels_last)
    contiguous = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    assert contiguous.conv2.weight.is_contiguous()
    torch.testing.assert_close(net(images), contiguous(images), rtol=1e-5, atol=1e-5)
    for made in (net, contiguous):
        nn.functional.cross_entropy(made(images), torch.arange(4)).backward()
    for ours, theirs in zip(net.parameters(), contiguous.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    net, images = CNN(KERAS), torch.rand(2, 1, 28, 28)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


@pytest.mark.parametrize("name", VARIANTS)
def test_an_image_knows_nothing_of_its_batch(name: str) -> None:
    torch.manual_seed(0)
    net, images = CNN(VARIANTS[name]).eval(), torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]), rtol=1e-5, atol=1e-5)
