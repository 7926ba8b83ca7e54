import pytest
import torch

from lit_anndl.data.binarization import binarize
from lit_anndl.data.mnist import MNISTData


def prepared(digits, how: str, **settings) -> MNISTData:
    data = MNISTData(directory=str(digits), binarization=how, seed=3, **settings)
    data.setup("fit")
    return data


def is_binary(images: torch.Tensor) -> bool:
    return bool(((images == 0) | (images == 1)).all())


def test_pixels_are_one_as_often_as_they_are_bright():
    grey = torch.tensor([0.0, 0.2, 0.7, 1.0]).expand(20_000, -1)
    found = binarize(grey, "dynamic", torch.Generator().manual_seed(0))
    assert is_binary(found)
    torch.testing.assert_close(found.mean(dim=0), grey[0], rtol=0, atol=0.015)
    assert binarize(grey[0], "threshold", torch.Generator()).tolist() == [0, 0, 1, 1]
    assert binarize(grey, "none", torch.Generator()) is grey


@pytest.mark.parametrize("how", ["dynamic", "threshold"])
def test_validation_and_test_are_drawn_once(how, digits):
    one, other, grey = prepared(digits, how), prepared(digits, how), prepared(digits, "none")
    for part in ("validation", "test"):
        mine = getattr(one, part)[0]
        assert is_binary(mine) and torch.equal(mine, getattr(other, part)[0])
        assert torch.equal(getattr(one, part)[1], getattr(grey, part)[1])
    assert torch.equal(one.train[0], grey.train[0])  # grey until it is drawn


def test_training_images_are_drawn_anew_by_the_generator(digits):
    data = prepared(digits, "dynamic")
    batch = tuple(tensor[:20] for tensor in data.train)
    first, again, other = (data.transform(batch, torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1))
    assert is_binary(first) and torch.equal(first, again) and not torch.equal(first, other)
