import re

import pytest
import torch
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.quality import sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> MNISTData:
    data = MNISTData(train_size=3000, test_size=600, validation_fraction=0.0, seed=0)
    data.setup("fit")
    return data


def measured(data: MNISTData, images: Tensor, number: int = 600) -> Findings:
    return sample_quality.measure(lambda n, _: images[:n], data, number, CPU)


def test_training_images_are_as_good_as_their_floor_but_learnt_by_heart(data: MNISTData) -> None:
    found = measured(data, data.train[0]).summary
    assert set(found) == set(sample_quality.SUMMARIES)
    for name in ("fid", "precision", "recall", "density", "coverage", "classes"):
        assert found[f"quality/{name}"] == pytest.approx(found[f"quality/{name}_floor"], rel=0.15)
    assert found["quality/coverage"] == pytest.approx(1 - 2**-5, abs=0.03)
    assert found["quality/memorized"] == 1
    assert 0.3 < found["quality/memorized_floor"] < 0.7


def test_of_shifted_features_the_frechet_distance_is_the_shift_squared() -> None:
    features = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([3.0, 0.0, -4.0, 0.0, 0.0])
    assert sample_quality.frechet_distance(features, features + shift) == pytest.approx(25, rel=1e-3)
    wider = sample_quality.frechet_distance(features, 3 * features)  # of normal ones Σ (3σ - σ)²
    assert wider == pytest.approx(5 * 4, rel=0.1)


def test_one_digit_alone_is_precise_and_covers_a_tenth(data: MNISTData) -> None:
    images, labels = data.train
    found = measured(data, images[labels == 1], 200).summary
    assert found["quality/classes"] < 0.3
    assert found["quality/least_frequent_class"] == 0
    shares = measured(data, images[labels == 1], 200).tables["quality_classes"]["samples"]
    assert shares[1] > 0.95 and sum(shares) == pytest.approx(1)
    assert found["quality/coverage"] < 0.3 < found["quality/precision"]
    assert found["quality/fid"] > 10 * found["quality/fid_floor"]
    assert found["quality/kid"] > 10 * abs(found["quality/kid_floor"])


def test_noise_covers_nothing_and_repeats_no_training_image(data: MNISTData) -> None:
    noise = torch.rand(600, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = measured(data, noise)
    assert found.summary["quality/coverage"] < 0.05  # precision is 1: all features of noise lie in one outlier's ball
    assert found.summary["quality/memorized"] == 0
    assert set(found.figures) == {"samples", "nearest"}
    assert set(found.tables["quality"]["number"]) == {600}


def test_grey_levels_are_the_yardstick_of_binary_data_too(data: MNISTData) -> None:
    binary = MNISTData(train_size=3000, test_size=600, validation_fraction=0.0, seed=0, binarization="dynamic")
    binary.setup("fit")
    assert not torch.equal(binary.test[0], binary.grey_test)
    assert (
        measured(binary, data.train[0]).summary["quality/fid"] == measured(data, data.train[0]).summary["quality/fid"]
    )


def test_fewer_samples_are_compared_with_test_images_at_random(data: MNISTData) -> None:
    pixels = data.grey_test.flatten(1)
    few = sample_quality.test_images(data, 200).flatten(1)
    places = torch.cdist(few, pixels).argmin(dim=1)
    assert pixels[places].equal(few) and len(places.unique()) == 200
    assert int((places < 300).sum()) in range(75, 125)  # not the first ones
    assert sample_quality.test_images(data, 600).equal(data.grey_test)


def test_none_and_too_few(data: MNISTData) -> None:
    assert measured(data, data.train[0], 0) == Findings()
    with pytest.raises(InputError, match=re.escape("model.quality_samples 3 was given, expected 0 for none, or more")):
        sample_quality.check(3, data)


def test_global_random_numbers_are_left_alone(data: MNISTData) -> None:
    before = torch.get_rng_state()
    measured(data, data.train[0], 100)
    assert torch.equal(before, torch.get_rng_state())
