import pytest
import torch

from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.latent_snapshots import LatentSnapshots
from lit_anndl.quality.sample_distance import SampleDistance


@pytest.fixture
def data(digits):
    data = MNISTData(directory=str(digits), validation_fraction=0.25, seed=0)
    data.setup("fit")
    return data


def test_validation_images_have_no_distance_from_themselves(data):
    distance = SampleDistance(data, 100, torch.device("cpu"))
    assert distance.measure(lambda number, generator: data.validation[0][:number]) == pytest.approx(0, abs=1e-2)
    others, noise = data.train[0], torch.rand(100, 1, 28, 28)
    near, far = (distance.measure(lambda number, _, images=images: images[:number]) for images in (others, noise))
    assert 0 < near < far / 3


def test_the_same_samples_are_drawn_each_time(data):
    distance, drawn = SampleDistance(data, 8, torch.device("cpu")), []

    def sample(number, generator):
        drawn.append(torch.rand(number, 1, 28, 28, generator=generator))
        return drawn[-1]

    assert distance.measure(sample) == distance.measure(sample)
    assert torch.equal(*drawn) and len(drawn[0]) == 8


def test_snapshots_are_of_the_same_latents_at_their_epochs():
    seen = []

    def decode(latents):
        seen.append(latents)
        return torch.full((len(latents), 1, 28, 28), 0.2)

    snapshots = LatentSnapshots(4, 3)
    for epoch in range(1, 50):
        snapshots.take(epoch, decode, seed=0)
    assert [epoch for epoch, _ in snapshots.taken] == [1, *range(4, 50, 4)]
    assert all(torch.equal(latents, seen[0]) for latents in seen) and seen[0].shape == (12, 3)
    assert all(int(images[0, 0, 0]) == 51 for _, images in snapshots.taken)
    rows = {axes.get_ylabel() for axes in snapshots.figure().axes} - {""}
    assert len(rows) == 10 and {"epoch 1", "epoch 48"} <= rows


def test_no_snapshots_are_taken_where_none_are_wanted():
    snapshots = LatentSnapshots(0, 3)
    snapshots.take(1, lambda latents: latents, seed=0)
    assert snapshots.taken == []
