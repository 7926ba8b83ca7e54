import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lit_anndl.nets.neighbourhoods import agreement, nearest


def points(number: int, dimensions: int, seed: int) -> Tensor:
    return torch.randn(number, dimensions, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_are_those_of_scikit_learn(k: int) -> None:
    queries, others = points(700, 6, 0), points(900, 6, 1)
    distances, indices = nearest(queries, others, k)
    theirs = NearestNeighbors(n_neighbors=k).fit(others.numpy()).kneighbors(queries.numpy())
    np.testing.assert_allclose(distances.numpy(), theirs[0][:, -1], rtol=1e-4)
    np.testing.assert_array_equal(indices.numpy(), theirs[1][:, 0])


def test_agreement_is_what_its_definition_says() -> None:
    real, generated, k = points(600, 3, 0), points(550, 3, 1) * 0.7 + 0.3, 4

    def radii(own: Tensor) -> Tensor:
        return torch.stack([(own - x).norm(dim=1).sort().values[k] for x in own])

    distances = torch.stack([(real - x).norm(dim=1) for x in generated])
    in_real, in_generated = distances <= radii(real), distances <= radii(generated)[:, None]
    found = agreement(real, generated, k)
    assert found.precision == pytest.approx(float(in_real.any(dim=1).double().mean()), abs=2e-3)
    assert found.recall == pytest.approx(float(in_generated.any(dim=0).double().mean()), abs=2e-3)
    assert found.density == pytest.approx(float(in_real.sum()) / k / len(generated), abs=2e-3)
    assert found.coverage == pytest.approx(float(in_real.any(dim=0).double().mean()), abs=2e-3)


def test_two_samples_of_one_distribution_cover_each_other() -> None:
    found = agreement(points(3000, 8, 0), points(3000, 8, 1), 5)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.015)
    assert found.density == pytest.approx(1, abs=0.1)


def test_a_collapsed_sample_covers_little_of_what_it_lies_amid() -> None:
    collapsed = points(500, 4, 1) * 0.05
    found = agreement(points(2000, 4, 0), collapsed, 5)
    assert found.precision > 0.95
    assert found.recall < 0.2
    assert found.coverage < 0.1
