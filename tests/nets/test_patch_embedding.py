import pytest
import torch
from torch.nn.functional import conv2d

from lit_anndl.nets.patch_embedding import PatchEmbedding


@pytest.mark.parametrize("patch_size", [1, 4, 7, 28])
def test_patches_are_the_pixels_row_by_row(patch_size):
    embedding = PatchEmbedding(3, patch_size)
    images = torch.rand(2, 1, 28, 28)
    patches = embedding.cut(images)
    side = 28 // patch_size
    assert patches.shape == (2, side**2, patch_size**2)
    for row in range(side):
        for column in range(side):
            rows, columns = (slice(i * patch_size, (i + 1) * patch_size) for i in (row, column))
            assert torch.equal(patches[:, row * side + column], images[:, 0, rows, columns].flatten(1))


def test_the_linear_map_of_patches_is_a_convolution_as_wide_as_its_steps():
    torch.manual_seed(0)
    embedding, images = PatchEmbedding(5, 7).double(), torch.rand(2, 1, 28, 28, dtype=torch.float64)
    kernels = embedding.projection.weight.reshape(5, 1, 7, 7)
    convolved = conv2d(images, kernels, embedding.projection.bias, stride=7).flatten(2).transpose(1, 2)  # (B, N, d)
    torch.testing.assert_close(embedding(images)[:, 1:], convolved + embedding.positions[1:])


@pytest.mark.parametrize(("patch_size", "stem", "left"), [(4, (6,), 2), (4, (6, 8), 1), (14, (3,), 7), (28, (3, 3), 7)])
def test_convolutions_leave_as_many_tokens(patch_size, stem, left):
    embedding = PatchEmbedding(5, patch_size, stem=stem)
    assert embedding.projection.in_features == stem[-1] * left**2
    assert embedding(torch.rand(2, 1, 28, 28)).shape == (2, 1 + (28 // patch_size) ** 2, 5)


def test_a_position_is_most_like_itself():
    similarity = PatchEmbedding(8, 7).similarity().reshape(16, 16)
    torch.testing.assert_close(similarity.diagonal(), torch.ones(16))
    assert torch.equal(similarity.argmax(dim=1), torch.arange(16))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"patch_size": 5}, r"patch_size 5 was given, expected .* 28 pixels: \[1, 2, 4, 7, 14, 28\]"),
        ({"patch_size": 0}, "patch_size: 0 was given, expected a whole number > 0"),
        ({"patch_size": 7, "stem": [4]}, r"patch_size 7 was given, expected .* a stem of 1.*: \[2, 4, 14, 28\]"),
        ({"patch_size": 4, "stem": [4, 4, 4]}, "a stem of 3: none does"),
        ({"patch_size": 7, "stem": [0]}, "stem: 0 was given"),
        ({"patch_size": 7, "dim": -1}, "dim: -1 was given"),
    ],
)
def test_what_cannot_be_cut(arguments, said):
    with pytest.raises(ValueError, match=said):
        PatchEmbedding(**{"dim": 8, **arguments})
