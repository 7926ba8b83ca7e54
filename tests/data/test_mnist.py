from pathlib import Path

import numpy as np
import pytest
import torch

from lit_anndl.data.digits import dataset_files, idx, idx_format
from lit_anndl.data.mnist import MNISTData
from lit_anndl.runtime.errors import InputError

TRAIN, TEST = 40, 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that differ, image i with label i mod 10; each holds its index in its first pixel."""
    folder, generator = tmp_path_factory.mktemp("idx"), np.random.default_rng(0)
    for images_name, labels_name, size in (
        (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, TRAIN),
        (idx.TEST_IMAGES, idx.TEST_LABELS, TEST),
    ):
        images = generator.integers(256, size=(size, 28, 28))
        images[:, 0, 0] = np.arange(size)
        images[:, 0, 1:3] = 0, 255
        (folder / images_name).write_bytes(idx_format.encode(images))
        (folder / labels_name).write_bytes(idx_format.encode(np.arange(size) % 10))
    return folder


def data(directory: Path, **options: object) -> MNISTData:
    made = MNISTData(directory=str(directory), **{"seed": 0, **options})  # type: ignore[arg-type]
    made.prepare_data()
    made.setup("fit")
    return made


def indices(part: tuple[torch.Tensor, ...]) -> list[int]:
    """Which of the images these are."""
    return (255 * part[0][:, 0, 0, 0]).round().int().tolist()


def test_shapes_types_and_range(directory: Path) -> None:
    made = data(directory)
    for images, labels in (made.train, made.validation, made.test):
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.shape == (len(labels), 1, 28, 28)
        assert images.min() == 0
        assert images.max() == 1


def test_labels_stay_with_their_images(directory: Path) -> None:
    made = data(directory, train_size=20, test_size=7)
    for part in (made.train, made.validation, made.test):
        assert part[1].tolist() == [index % 10 for index in indices(part)]


def test_last_tenth_is_for_validation(directory: Path) -> None:
    made = data(directory)
    assert indices(made.train) == list(range(36))
    assert indices(made.validation) == list(range(36, 40))
    assert indices(made.test) == list(range(TEST))


@pytest.mark.parametrize(("fraction", "held_out"), [(0.25, 10), (0.5, 20), (0.01, 0)])
def test_validation_fraction(directory: Path, fraction: float, held_out: int) -> None:
    made = data(directory, validation_fraction=fraction)
    assert len(made.train[0]) == TRAIN - held_out
    assert len(made.validation[0]) == held_out if held_out else made.validation == ()


def test_no_validation(directory: Path) -> None:
    made = data(directory, validation_fraction=0.0)
    assert made.validation == ()
    assert len(made.train[0]) == TRAIN


def test_nothing_left_to_train_on(directory: Path) -> None:
    with pytest.raises(InputError, match="validation_fraction"):
        data(directory, validation_fraction=1.0)


def test_subsets_by_size(directory: Path) -> None:
    made = data(directory, train_size=20, test_size=5)
    train, validation, test = map(indices, (made.train, made.validation, made.test))
    assert [len(train), len(validation), len(test)] == [18, 2, 5]
    assert len({*train, *validation}) == 20
    assert len(set(test)) == 5


def test_subsets_by_seed(directory: Path) -> None:
    first = data(directory, train_size=20, test_size=5, seed=1)
    torch.rand(3)  # the global generator has no say
    again = data(directory, train_size=20, test_size=5, seed=1)
    other = data(directory, train_size=20, test_size=5, seed=2)
    assert indices(first.train) == indices(again.train)
    assert indices(first.test) == indices(again.test)
    assert set(indices(first.train)) != set(indices(other.train))
    assert set(indices(first.test)) != set(indices(other.test))


def test_smaller_subset_lies_in_the_larger(directory: Path) -> None:
    small, large = (data(directory, train_size=size, validation_fraction=0.0) for size in (5, 20))
    assert indices(small.train) == indices(large.train)[:5]


def test_whole_set_as_a_subset(directory: Path) -> None:
    made = data(directory, test_size=TEST)
    assert sorted(indices(made.test)) == list(range(TEST))


@pytest.mark.parametrize(("option", "size", "there"), [("train_size", 41, TRAIN), ("test_size", 1000, TEST)])
def test_more_than_there_are(directory: Path, option: str, size: int, there: int) -> None:
    with pytest.raises(InputError, match=f"^data.{option} {size} is more than the {there} images there are$"):
        data(directory, **{option: size})


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such directory"):
        data(tmp_path / "absent")


def test_data_directory_is_asked_by_default(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return directory

    monkeypatch.setattr(dataset_files, "fetch", fetch)
    made = MNISTData(dataset="fashion", seed=0)
    made.prepare_data()
    made.setup("fit")
    assert set(asked) == {"fashion"}
    assert len(made.test[0]) == TEST


def test_second_setup_keeps_the_tensors(directory: Path) -> None:
    made = data(directory)
    before = made.train
    made.setup("test")
    assert made.train is before
