import pytest
import torch

from lit_anndl.data.mnist import MNISTData
from lit_anndl.quality.latent_space import LatentSpace


@pytest.fixture
def data(digits):
    data = MNISTData(directory=str(digits), seed=0)
    data.setup("test")
    return data


def identity():
    return LatentSpace(lambda images: images.flatten(1), lambda codes: codes.reshape(-1, 1, 28, 28))


def test_a_code_that_keeps_everything_has_no_error(data):
    found = identity().measure(data, torch.device("cpu"))
    assert found["latent/mse"] == 0 and found["latent/path_length"] > 0


def test_a_code_that_keeps_nothing_has_a_path_of_no_length(data):
    space = LatentSpace(
        lambda images: 0 * images.flatten(1)[:, :2], lambda codes: codes[:, :1].expand(-1, 784).reshape(-1, 1, 28, 28)
    )
    found = space.measure(data, torch.device("cpu"))
    assert found["latent/mse"] == pytest.approx(data.grey_test.square().mean().item())
    assert found["latent/path_length"] == 0
    assert space.gaussian_sampler(data.train[0])(3, torch.Generator()).abs().max() < 0.01


def test_the_fitted_gaussian_has_the_mean_and_covariance_of_the_codes(data):
    images = data.train[0]
    drawn = identity().gaussian_sampler(images)(4000, torch.Generator().manual_seed(0))
    assert (drawn.mean(dim=0) - images.mean(dim=0)).abs().max() < 0.05
    ours, theirs = (each.flatten(1).T.cov() for each in (drawn, images))
    assert (ours - theirs).norm() < 0.2 * theirs.norm()
