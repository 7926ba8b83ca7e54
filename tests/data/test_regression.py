import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_anndl.data import test_functions as functions
from lit_anndl.data.regression import POINTS, RegressionData
from lit_anndl.runtime.errors import InputError

DAMPED = math.sin(4.68) * math.exp(-math.pi / 14)


def data(**options: object) -> RegressionData:
    made = RegressionData(**{"seed": 0, **options})  # type: ignore[arg-type]
    made.setup("fit")
    return made


def rows(examples: tuple[Tensor, ...]) -> set[tuple[float, ...]]:
    return set(map(tuple, torch.cat(examples, dim=1).tolist()))


@pytest.mark.parametrize(
    ("function", "point", "value"),
    [  # worked out by hand, where terms vanish
        (functions.additive, (0.6, 0.9), 1.3356 * 0.6),
        (functions.additive, (1.0, 0.9), 1.3356 * math.e * math.sin(0.48 * math.pi)),
        (functions.additive, (0.6, 0.5), 1.3356 * (0.6 + math.sin(0.64 * math.pi))),
        (functions.harmonic, (0.5, 0.123), 4.2659),
        (functions.harmonic, (1.0, 0.5), 42.659 * (0.1 + 0.5 * (0.05 + 0.0625))),
        (functions.harmonic, (1.0, 1.0), 42.659 * (0.1 + 0.5 * (0.05 + 0.0625 - 0.625 + 0.3125))),
        (functions.radial, (0.5, 0.5), 0.0),
        (functions.radial, (1.0, 0.5), 24.234 * 0.25 * 0.5),
        (functions.simple_interaction, (0.4, 0.1), 10.391 * 0.36),
        (functions.simple_interaction, (0.9, 0.2), 10.391 * (-0.2 + 0.36)),
        (functions.complicated_interaction, (0.6, 0.3), 1.9 * 1.35),
        (functions.complicated_interaction, (0.1, 0.0), 1.9 * 1.35),
        (functions.complicated_interaction, (0.0, math.pi / 14), 1.9 * (1.35 + DAMPED)),
    ],
)
def test_formulas(function, point, value):
    assert function(torch.tensor(point, dtype=torch.float64)).item() == pytest.approx(value, rel=1e-12)


def test_harmonic_function_is_harmonic():
    """u (5 v⁴ - 10 u² v² + u⁴) is the real part of (u + iv)⁵: its Laplacian vanishes."""
    point = torch.tensor([0.8, 0.3], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(functions.harmonic, point)
    assert abs(torch.as_tensor(hessian).trace().item()) < 1e-10


def test_columns_are_the_functions_in_order():
    points = torch.rand((4, 2), dtype=torch.float64)
    columns = functions.five_functions(points)
    assert columns.shape == (4, 5)
    for column, function in zip(columns.T, functions.FUNCTIONS, strict=True):
        assert torch.equal(column, function(points))


@pytest.mark.parametrize(
    ("digits", "coefficients"),
    [("66321", [6, 6, 3, 2, 1]), ("12366", [6, 6, 3, 2, 1]), ("98421", [9, 8, 4, 2, 1]), ("0936832", [9, 8, 6, 3, 3])],
)
def test_five_largest_digits_weigh_the_functions(digits, coefficients):
    made = data(digits=digits)
    points, targets = made.test
    weights = torch.tensor(coefficients, dtype=torch.float64)
    expected = functions.five_functions(points) @ weights / sum(coefficients)
    torch.testing.assert_close(targets.squeeze(1), expected)


@pytest.mark.parametrize("digits", ["6632", "00000", "0000000", "r0936832", "66 321", "", "-66321", "６６３２１"])
def test_wrong_digits(digits):
    with pytest.raises(InputError, match=f"^data.digits: {digits} was given, expected five digits"):
        RegressionData(digits=digits)


def test_sizes_and_no_overlap():
    made = data()
    parts = [rows(part) for part in (made.train, made.validation, made.test)]
    assert [len(part) for part in parts] == [1600, 400, 1000]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert made.train[0].dtype == made.train[1].dtype == torch.float64
    assert made.train[0].min() >= 0 and made.train[0].max() <= 1


def test_uniform_on_the_square():
    points = data(train_size=12000, test_size=1600, validation_fraction=0).train[0]
    counts = torch.histogramdd(points, bins=[4, 4], range=[0.0, 1.0, 0.0, 1.0]).hist
    assert ((counts - 750).abs() < 5 * math.sqrt(750)).all()


def test_seed():
    assert torch.equal(data(seed=1).train[0], data(seed=1).train[0])
    assert not torch.equal(data(seed=1).train[0], data(seed=2).train[0])


def test_noise_on_training_and_validation_targets_alone():
    clean, noisy = data(), data(noise=0.3)
    assert torch.equal(clean.test[1], noisy.test[1])
    for mine, theirs in ((clean.train, noisy.train), (clean.validation, noisy.validation)):
        assert torch.equal(mine[0], theirs[0])
        assert (theirs[1] - mine[1]).std().item() == pytest.approx(0.3, rel=0.12)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_partition_the_training_points(folds):
    parts = [data(train_size=100, folds=folds, fold=fold) for fold in range(folds)]
    everything = rows(parts[0].train) | rows(parts[0].validation)
    held_out = [rows(part.validation) for part in parts]
    assert set.union(*held_out) == everything and sum(map(len, held_out)) == len(everything) == 100
    assert max(map(len, held_out)) - min(map(len, held_out)) <= 1
    for part, own in zip(parts, held_out, strict=True):
        assert rows(part.train) == everything - own
        assert torch.equal(part.test[0], parts[0].test[0])


def test_seeds_go_through_the_folds():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        by_seed = data(folds=3)
    assert torch.equal(by_seed.validation[0], data(folds=3, fold=1).validation[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "data.folds: 1 was given, expected from 2 to data.train_size, 2000"),
        ({"folds": 11, "train_size": 10}, "expected from 2 to data.train_size, 10"),
        ({"folds": 3, "fold": 3}, "data.fold: 3 was given, expected from 0 to 2"),
        ({"fold": 0}, "data.fold: 0 was given, expected data.folds as well"),
        ({"folds": 3}, "expected data.seed as well"),
    ],
)
def test_wrong_folds(options, message):
    with pytest.raises(InputError, match=message):
        RegressionData(**options)


def test_more_points_than_there_are():
    with pytest.raises(InputError, match=f"make 13700 points; there are {POINTS}"):
        data(train_size=12700)


def test_nothing_left_to_train_on():
    with pytest.raises(InputError, match=r"data.validation_fraction 1.0 leaves nothing"):
        data(validation_fraction=1.0)


def write_csv(path: Path, table: np.ndarray) -> str:
    np.savetxt(path, table, delimiter=",", fmt="%.6g")
    return str(path)


@pytest.fixture
def table() -> np.ndarray:
    """A file like the course's: x1, x2, T1 … T5 in rows."""
    points = torch.rand((60, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return torch.cat([points, functions.five_functions(points)], dim=1).T.numpy()


@pytest.mark.parametrize("sizes", [{"train_size": 2}, {"test_size": 2}, {"train_size": 3, "validation_fraction": 0.4}])
def test_points_to_draw_a_surface_over(sizes):
    with pytest.raises(InputError, match="2 training or test points were asked for, expected 3 or more"):
        data(**{"validation_fraction": 0, **sizes})


def test_csv_gives_the_same_problem(table, tmp_path):
    made = data(csv=write_csv(tmp_path / "data.csv", table), train_size=40, test_size=20)
    points, targets = (torch.cat(parts) for parts in zip(made.train, made.validation, made.test, strict=True))
    weights = torch.tensor([6, 6, 3, 2, 1], dtype=torch.float64)
    expected = functions.five_functions(points) @ weights / 18
    torch.testing.assert_close(targets.squeeze(1), expected, rtol=1e-4, atol=1e-4)  # six digits are printed
    assert rows((points,)) == set(map(tuple, np.genfromtxt(made.csv, delimiter=",")[:2].T.tolist()))


def test_csv_of_another_shape(table, tmp_path):
    with pytest.raises(InputError, match=r"has 60 × 7 numbers, expected 7 rows \(x1, x2, T1, T2, T3, T4, T5\)"):
        data(csv=write_csv(tmp_path / "data.csv", table.T))


def test_csv_with_fewer_points_than_asked_for(table, tmp_path):
    with pytest.raises(InputError, match="make 3000 points; there are 60"):
        data(csv=write_csv(tmp_path / "data.csv", table))


@pytest.mark.parametrize(("gap", "others"), [([(3, 7)], ""), ([(3, 7), (5, 1)], ", nor in 1 other places")])
def test_csv_with_gaps(gap, others, table, tmp_path):
    for place in gap:
        table[place] = np.nan
    with pytest.raises(InputError, match=rf"no number in row 4 \(T2\), column 8{others}$"):
        data(csv=write_csv(tmp_path / "data.csv", table))


def test_csv_with_an_empty_cell_or_a_word(table, tmp_path):
    path = Path(write_csv(tmp_path / "data.csv", table))
    lines = path.read_text().splitlines()
    for cell in ("", "abc"):
        row = lines[1].split(",")
        path.write_text("\n".join([lines[0], ",".join([row[0], cell, *row[2:]]), *lines[2:]]))
        with pytest.raises(InputError, match=r"no number in row 2 \(x2\), column 2$"):
            data(csv=str(path))


def test_csv_with_a_short_row(table, tmp_path):
    path = Path(write_csv(tmp_path / "data.csv", table))
    path.write_text(path.read_text().rpartition(",")[0])
    with pytest.raises(InputError, match="rows of unequal length"):
        data(csv=str(path))


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_csv_that_cannot_be_read(name, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        data(csv=str(tmp_path / name))


def test_empty_csv(tmp_path):
    (tmp_path / "data.csv").touch()
    with pytest.raises(InputError, match="expected 7 rows"):
        data(csv=str(tmp_path / "data.csv"))
