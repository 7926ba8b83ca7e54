import pytest
import torch
from torch.nn.functional import interpolate

from lit_anndl.data.augmentation import ElasticDistortion, RandomAffine
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.shifts import shifted

ALL = RandomAffine(shift=2, rotation=15, scale=0.1, shear=0.2)


def images(size: int = 5) -> torch.Tensor:
    return torch.rand(size, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def drawn(affine: RandomAffine, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return affine(x, torch.Generator().manual_seed(seed))


def test_without_bounds_nothing_changes():
    torch.testing.assert_close(drawn(RandomAffine(), images()), images(), rtol=0, atol=1e-5)


def test_it_is_a_function_of_the_generator():
    assert torch.equal(drawn(ALL, images()), drawn(ALL, images()))
    assert not torch.equal(drawn(ALL, images(), 1), drawn(ALL, images()))
    assert len({float(image.sum()) for image in drawn(ALL, images()[:1].repeat(4, 1, 1, 1))}) == 4


def test_shifts_stay_within_their_bound_and_are_of_pixels():
    dots = torch.zeros(500, 1, 28, 28)
    dots[:, :, 14, 10] = 1
    moved = drawn(RandomAffine(shift=3), dots)
    ticks = torch.arange(28.0)
    x, y = (moved.sum(dim=axis).squeeze(1) @ ticks for axis in (2, 3))  # where the dot's mass lies
    assert float((x - 10).abs().max()) <= 3 + 1e-4 and float((y - 14).abs().max()) <= 3 + 1e-4
    assert float((x - 10).abs().max()) > 2.8 and float((y - 14).std()) == pytest.approx(3 / 3**0.5, rel=0.1)


def test_rotation_keeps_distances_from_the_middle():
    dots = torch.zeros(200, 1, 29, 29)
    dots[:, :, 14, 24] = 1
    moved = drawn(RandomAffine(rotation=90), dots)
    ticks = torch.arange(29.0) - 14
    mass = moved.sum(dim=(1, 2, 3))
    x, y = (moved.sum(dim=axis).squeeze(1) @ ticks / mass for axis in (2, 3))
    torch.testing.assert_close(x.hypot(y), torch.full((200,), 10.0), rtol=0, atol=0.1)
    assert float(torch.atan2(y, x).abs().max()) <= torch.pi / 2 + 0.02


def test_scale_is_of_both_axes():
    big = interpolate(torch.ones(1, 1, 10, 10), size=(10, 10))
    squares = torch.nn.functional.pad(big, [20] * 4).repeat(300, 1, 1, 1)
    areas = drawn(RandomAffine(scale=0.2), squares).sum(dim=(1, 2, 3))
    assert 100 * 0.65 < float(areas.min()) < 75 and 130 < float(areas.max()) < 100 * 1.5


@pytest.mark.parametrize("pixels", [1, 4])
def test_shifted_copies_are_the_image_elsewhere(pixels):
    x = images(2)
    left, right, up, down = shifted(x, pixels)
    assert torch.equal(left[..., :-pixels], x[..., pixels:]) and not left[..., -pixels:].any()
    assert torch.equal(right[..., pixels:], x[..., :-pixels]) and not right[..., :pixels].any()
    assert torch.equal(up[:, :, :-pixels], x[:, :, pixels:]) and torch.equal(down[:, :, pixels:], x[:, :, :-pixels])


def test_a_share_is_distorted_and_the_rest_left_as_it_is():
    everything, some = (drawn(RandomAffine(shift=2, share=share), images(1000)) for share in (1, 0.3))
    kept = (some == images(1000)).all(dim=(1, 2, 3))
    assert 0.65 < kept.double().mean() < 0.75
    assert torch.equal(some[~kept], everything[~kept])


def test_an_elastic_distortion_without_displacements_is_affine():
    bounds = {"shift": 2, "rotation": 15, "scale": 0.1, "shear": 0.2}
    assert torch.equal(drawn(ElasticDistortion(displacement=0, **bounds), images()), drawn(ALL, images()))


def test_elastic_displacements_are_smooth_and_of_the_size_that_is_asked_for():
    ramps = torch.arange(37.0).expand(300, 1, 37, 37)  # a pixel's value is where it was looked up
    for x in (ramps, ramps.mT):
        moved = (drawn(ElasticDistortion(displacement=1.5), x) - x)[..., 6:-6, 6:-6]
        at_points = moved[..., ::6, ::6]
        assert float(at_points.std()) == pytest.approx(1.5, rel=0.05)
        assert abs(float(at_points.mean())) < 0.1
        steps = moved.diff(dim=-1).square().mean().sqrt()  # independent displacements would have √2 · 1.5
        assert 0 < float(steps) < 0.35 * 1.5
        neighbours = torch.stack([at_points[..., 0].flatten(), at_points[..., 1].flatten()])
        assert abs(float(neighbours.corrcoef()[0, 1])) < 0.1


def test_it_is_chosen_and_dropped_by_name(command):
    settings = ("--data.augmentation", "RandomAffine", "--data.augmentation.shift", "3", "--print_config=skip_default")
    code, out, _ = command("mnist_cnn", *settings)
    assert code == 0 and "lit_anndl.data.augmentation.RandomAffine" in out and "shift: 3.0" in out
    code, out, _ = command("mnist_cnn_best", "--data.augmentation", "null", "--print_config")
    assert code == 0 and "augmentation: null" in out
    code, _, err = command("mnist_cnn", "--data.augmentation", "Random")
    assert code == 2 and err == "fit: data.augmentation: there is no class Random\n"
    code, _, err = command("mnist_cnn", "--model.optimizer", "null")
    assert code == 2 and err == "fit: model.optimizer: a value is expected, none was given\n"


def test_only_training_images_are_distorted(digits):
    data = MNISTData(directory=str(digits), augmentation=ALL)
    data.setup("fit")
    batch, generator = (data.train[0][:3], data.train[1][:3]), torch.Generator().manual_seed(0)
    distorted, labels = data.transform(batch, generator)
    assert not torch.equal(distorted, batch[0]) and torch.equal(labels, batch[1])
    plain = MNISTData(directory=str(digits))
    plain.setup("fit")
    assert plain.transform(batch, generator)[0] is batch[0]
    assert torch.equal(data.validation[0], plain.validation[0]) and torch.equal(data.test[0], plain.test[0])
