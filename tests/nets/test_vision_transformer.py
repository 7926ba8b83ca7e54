"""Vision transformers: laws."""

import pytest
import torch

from lit_anndl.nets.vision_transformer import Block, VisionTransformer

SMALL = {"dim": 8, "depth": 3, "heads": 2, "mlp_dim": 12}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return VisionTransformer(**SMALL).double().eval()


@pytest.fixture
def images():
    return torch.rand(3, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("dim", "depth", "heads", "mlp_dim", "patch_size", "classes"),
    [(64, 6, 8, 128, 7, 10), (32, 4, 4, 64, 7, 10), (128, 8, 16, 512, 7, 10), (24, 1, 3, 20, 4, 5)],
)
def test_number_of_parameters(dim, depth, heads, mlp_dim, patch_size, classes):
    net = VisionTransformer(dim, depth, heads, mlp_dim, patch_size, classes=classes)
    tokens = (patch_size**2 + 1) * dim + ((28 // patch_size) ** 2 + 2) * dim
    block = 4 * dim**2 + 2 * mlp_dim * dim + mlp_dim + 5 * dim
    head = (dim + 1) * mlp_dim + (mlp_dim + 1) * classes
    assert sum(p.numel() for p in net.parameters()) == tokens + depth * block + head


def test_patches_in_another_order_with_their_positions_give_the_same(net, images):
    order = torch.randperm(16, generator=torch.Generator().manual_seed(2))
    pixels = images.unfold(2, 7, 7).unfold(3, 7, 7).flatten(2, 3)  # (B, 1, 16, 7, 7)
    shuffled = pixels[:, :, order].unflatten(2, (4, 4)).transpose(3, 4).reshape(images.shape)
    before = net(images)
    assert not torch.allclose(net(shuffled), before)
    with torch.no_grad():
        net.embedding.positions[1:] = net.embedding.positions[1:][order]
    torch.testing.assert_close(net(shuffled), before)


def test_attention_written_out_is_that_of_the_fused_kernel(net, images):
    """The weights, put to use block by block, give what the net gives."""
    maps = net.attention_maps(images)
    assert maps.shape == (3, 3, 2, 17, 17)
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(3, 3, 2, 17, dtype=torch.float64))
    tokens = net.embedding(images)
    for block, weights in zip(net.blocks, maps, strict=True):
        *_, values = block.attention.project(block.attention_norm(tokens))
        tokens = tokens + block.attention.join(weights @ values)
        tokens = tokens + block.mlp(block.mlp_norm(tokens))
    torch.testing.assert_close(net.head(tokens[:, 0]), net(images), rtol=0, atol=1e-13)


def test_a_block_that_adds_nothing_is_a_shortcut():
    block, tokens = Block(8, 2, 12), torch.randn(2, 5, 8)
    torch.nn.init.zeros_(block.attention.output.weight)
    torch.nn.init.zeros_(block.mlp[-1].weight)
    torch.nn.init.zeros_(block.mlp[-1].bias)
    assert torch.equal(block(tokens), tokens)


@pytest.mark.parametrize("stem", [(), (4,)])
def test_an_image_knows_nothing_of_its_batch(stem, images):
    torch.manual_seed(0)
    net = VisionTransformer(**SMALL, patch_size=4, stem=stem).double().eval()
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]))


def test_dropout_acts_in_training_only(images):
    net = VisionTransformer(**SMALL, dropout=0.5).double()
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"heads": 3}, "dim 8 cannot be divided by 3 heads"),
        ({"depth": 0}, "depth: 0 was given, expected a whole number > 0"),
        ({"mlp_dim": -4}, "mlp_dim: -4 was given"),
        ({"patch_size": 6}, "patch_size 6 was given"),
    ],
)
def test_what_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        VisionTransformer(**{**SMALL, **arguments})
