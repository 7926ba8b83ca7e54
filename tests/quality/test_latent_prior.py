import math

import pytest
import torch

from lit_anndl.data.mnist import MNISTData
from lit_anndl.nets.stroke_measurements import Strokes
from lit_anndl.quality import latent_factors, latent_prior
from lit_anndl.quality.latent_factors import Factors
from lit_anndl.quality.latent_prior import Prior, draw_latents

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> MNISTData:
    data = MNISTData(train_size=3000, test_size=400, validation_fraction=0.0, seed=0)
    data.setup("fit")
    return data


def drawn(number: int, latent: int) -> torch.Tensor:
    return torch.randn(number, latent, generator=torch.Generator().manual_seed(0))


def shown(z: torch.Tensor, strokes: torch.Tensor, classes: torch.Tensor) -> dict[str, float]:
    factors = Factors(classes, Strokes(*strokes.T))
    return dict(latent_factors.measure(z, factors, torch.Generator().manual_seed(1)).summary)


def test_latents_that_are_the_factors_are_disentangled_and_shuffled_ones_are_not():
    z = drawn(4000, 6)
    found = shown(z, z[:, :4], (z[:, 4] > 0).long())
    assert found["latent/mig"] > 0.9 and abs(found["latent/mig_chance"]) < 0.02
    assert found["latent/probe_class"] > 0.95 and found["latent/probe_class_chance"] == pytest.approx(0.5, abs=0.05)
    for name in Strokes._fields:
        assert found[f"latent/probe_{name}"] > 0.99
        assert abs(found[f"latent/probe_{name}_chance"]) < 0.02


def test_a_linear_probe_finds_turned_factors_and_the_gap_does_not():
    z = drawn(4000, 6)
    turn, _ = torch.linalg.qr(drawn(6, 6))
    found = shown(z @ turn, z[:, :4], (z[:, 4] > 0).long())
    assert found["latent/mig"] < 0.3 and found["latent/probe_slant"] > 0.99


def test_a_generator_of_one_image_is_known_by_chance():
    found = shown(drawn(100, 3), torch.ones(100, 4), torch.full((100,), 7))
    assert found["latent/mig"] == 0 and found["latent/probe_class"] == found["latent/probe_class_chance"] == 1


def test_everything_is_measured_and_the_samples_are_those_that_quality_is_measured_of(data: MNISTData):
    images = data.train[0]
    seen = []

    def decode(z: torch.Tensor) -> torch.Tensor:  # which training image: by the first latent's rank under the prior
        place = (torch.special.ndtr(z[:, 0]) * len(images)).long().clamp(max=len(images) - 1)
        seen.append(z)
        return images[place]

    found = Prior(decode, lambda z: decode(z).double(), 3, pairs=60).examine(data, 300, CPU)
    assert set(found.summary) == set(latent_prior.OF_GENERATORS)
    tables = {"quality", "quality_classes", "classifier", "latent_factors"}
    assert {"samples", "nearest"} <= set(found.figures) and tables == set(found.tables)
    assert torch.equal(torch.cat(seen[:2]), draw_latents(300, 3, _drawing(data)))
    assert found.summary["latent/sure"] == pytest.approx(found.summary["latent/sure_floor"], abs=0.1)
    assert found.summary["latent/path_detour_fading"] > 1
    assert Prior(decode, decode, 3).examine(data, 0, CPU).summary == {}


def _drawing(data: MNISTData) -> torch.Generator:
    from lit_anndl.quality.sample_quality import drawing

    return drawing(data, CPU)


def test_of_a_straight_way_between_features_the_detour_is_one(data: MNISTData):
    images = data.grey_test[:2].double()

    def decode(z: torch.Tensor) -> torch.Tensor:  # paler and darker: features of ReLU nets follow nearly in proportion
        return images[:1] * (0.5 + 0.01 * z[:, :1, None, None])

    z = drawn(200, 1)
    found = Prior(lambda z: decode(z).float(), decode, 1, pairs=100).measure_latent_space(z, decode(z).float(), data)
    # on a line θ ∈ [0, π] between a and -a, or none at all: latents of one value are parallel, so paths are straight
    assert found.summary["latent/path_detour"] == pytest.approx(1, abs=0.2)


def test_circles_keep_to_the_latents_that_are_drawn_and_lines_do_not(data: MNISTData):
    """Of 64 values the norm is about 8, and about 8 / √2 in the middle of a line: only there the image is blank."""
    digit = data.grey_test[:1]

    def decode(z: torch.Tensor) -> torch.Tensor:
        return digit.to(z) * (z.norm(dim=1) > 0.85 * 8)[:, None, None, None]

    z = drawn(400, 64)
    typical = z[(z.norm(dim=1) - 8).abs() < 0.8]
    found = Prior(decode, decode, 64).measure_latent_space(typical, decode(typical), data).summary
    assert found["latent/prior_path_length"] == 0  # all on a circle is one digit
    assert found["latent/sure"] == 1 and found["latent/sure_linear"] < 0.8


def test_of_one_image_paths_have_no_length_and_all_are_as_sure(data: MNISTData):
    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.full((len(z), 1, 28, 28), 0.1, dtype=z.dtype)

    z = drawn(100, 2)
    found = Prior(decode, decode, 2).measure_latent_space(z, decode(z), data).summary
    assert found["latent/prior_path_length"] == 0 and found["latent/path_detour"] == 1
    assert found["latent/sure"] in (0, 1) and found["latent/sure_floor"] > 0.9
    assert not any(math.isnan(value) for value in found.values())
