import math

import pytest
import torch
from torch import Tensor

from lit_anndl.data.batches import EvaluationBatches, TensorBatches

SIZE = 23


def tensors(size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Inputs (index, -index) and targets 10 · index: each example tells which it is."""
    indices = torch.arange(size)
    return torch.stack([indices, -indices], dim=1), 10 * indices


def epoch(batches: TensorBatches, number: int = 0) -> list[list[list[int]]]:
    """Which examples are in each batch of each item of an epoch, inputs and targets checked to agree."""
    batches.sampler.set_epoch(number)  # as Lightning does
    items = [[(inputs, targets) for inputs, targets in item] for item in batches]
    for inputs, targets in (batch for item in items for batch in item):
        assert torch.equal(inputs[:, 0], -inputs[:, 1])
        assert torch.equal(10 * inputs[:, 0], targets)
    return [[inputs[:, 0].tolist() for inputs, _ in item] for item in items]


def sequence(batches: TensorBatches, number: int = 0) -> list[int]:
    """The examples of an epoch, in order."""
    return [example for item in epoch(batches, number) for batch in item for example in batch]


@pytest.mark.parametrize("batch_size", [1, 4, 22, 23, 100])
@pytest.mark.parametrize("steps_per_execution", [1, 3, None])
def test_every_example_once_per_epoch(batch_size: int, steps_per_execution: int | None) -> None:
    batches = TensorBatches(tensors(), batch_size, steps_per_execution=steps_per_execution)
    for number in range(3):
        assert sorted(sequence(batches, number)) == list(range(SIZE))


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first, again, other = (TensorBatches(tensors(), 4, seed=seed) for seed in (1, 1, 2))
    orders = [sequence(first, number) for number in range(3)]
    torch.rand(3)  # the global generator has no say
    assert [sequence(again, number) for number in reversed(range(3))] == orders[::-1]
    assert len(set(map(tuple, orders))) == 3
    assert sequence(other) not in orders
    assert again.order(1).tolist() == orders[1]


def test_neighbouring_seeds_and_epochs_share_no_order() -> None:
    batches = {seed: TensorBatches(tensors(), 4, seed=seed) for seed in range(4)}
    orders = {tuple(batches[seed].order(epoch).tolist()) for seed in batches for epoch in range(4)}
    assert len(orders) == 16


def test_order_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    sequence(TensorBatches(tensors(), 4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("steps_per_execution", "lengths"),
    [(1, [1] * 6), (2, [2, 2, 2]), (4, [4, 2]), (6, [6]), (100, [6]), (None, [6])],
)
def test_lists_of_batches(steps_per_execution: int | None, lengths: list[int]) -> None:
    batches = TensorBatches(tensors(), 4, steps_per_execution=steps_per_execution)
    items = epoch(batches)
    assert [len(item) for item in items] == lengths
    assert len(batches) == len(lengths)
    assert [len(batch) for item in items for batch in item] == [4, 4, 4, 4, 4, 3]


@pytest.mark.parametrize("steps_per_execution", [1, 2, None])
def test_grouping_changes_no_batch(steps_per_execution: int | None) -> None:
    single = [batch for item in epoch(TensorBatches(tensors(), 4, steps_per_execution=1)) for batch in item]
    grouped = TensorBatches(tensors(), 4, steps_per_execution=steps_per_execution)
    assert [batch for item in epoch(grouped) for batch in item] == single


@pytest.mark.parametrize("batch_size", [SIZE, 1000])
def test_full_batch_is_the_tensors_themselves(batch_size: int) -> None:
    whole = tensors()
    batches = TensorBatches(whole, batch_size)
    [[batch]] = list(batches)
    assert all(given is held for given, held in zip(batch, whole, strict=True))
    assert len(batches) == 1


@pytest.mark.parametrize("batch_size", [1, 4, 7])
@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_ranks_share_the_examples_evenly(world_size: int, batch_size: int) -> None:
    ranks = [TensorBatches(tensors(), batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
    for number in range(2):
        shares = [sequence(rank, number) for rank in ranks]
        assert {len(share) for share in shares} == {SIZE // world_size}
        seen = [example for share in shares for example in share]
        assert len(set(seen)) == len(seen)
    assert {len(rank) for rank in ranks} == {1}
    assert {rank.steps for rank in ranks} == {math.ceil(SIZE // world_size / batch_size)}


def test_ranks_share_a_full_batch_too() -> None:
    ranks = [TensorBatches(tensors(10), 10, rank=rank, world_size=2) for rank in range(2)]
    assert sorted(sequence(ranks[0]) + sequence(ranks[1])) == list(range(10))


def test_what_ranks_leave_out_changes_with_the_epoch() -> None:
    ranks = [TensorBatches(tensors(), 4, rank=rank, world_size=3) for rank in range(3)]
    left_out = [set(range(SIZE)) - {x for rank in ranks for x in sequence(rank, number)} for number in range(5)]
    assert all(len(out) == SIZE % 3 for out in left_out)
    assert len(set(map(frozenset, left_out))) > 1


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_evaluation_keeps_the_order(batch_size: int, sizes: list[int]) -> None:
    batches = EvaluationBatches(tensors(5), batch_size)
    for _ in range(2):
        items = list(batches)
        assert [len(inputs) for inputs, _ in items] == sizes
        assert torch.equal(torch.cat([inputs for inputs, _ in items]), tensors(5)[0])
        assert torch.equal(torch.cat([targets for _, targets in items]), tensors(5)[1])
    assert len(batches) == len(sizes)


def noisy(batch: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    """Noise in place of the inputs, the targets as they are."""
    inputs, targets = batch
    return torch.rand(inputs.shape, generator=generator), targets


def transformed(number: int, **options: int | None) -> dict[int, list[float]]:
    """The inputs of an epoch by example."""
    batches = TensorBatches(tensors(), 4, **{"seed": 3, **options}, transform=noisy)  # type: ignore[arg-type]
    batches.set_epoch(number)
    return {
        int(target): drawn.tolist() for item in batches for batch in item for drawn, target in zip(*batch, strict=True)
    }


def test_transforms_are_a_function_of_seed_and_epoch() -> None:
    first = transformed(0)
    assert first == transformed(0)
    assert first != transformed(1)
    assert first != transformed(0, seed=4)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_grouping_of_steps_changes_no_transform(steps_per_execution: int) -> None:
    assert transformed(2, steps_per_execution=steps_per_execution) == transformed(2)


def test_ranks_draw_transforms_of_their_own() -> None:
    one, other = (list(transformed(0, rank=rank, world_size=2).values()) for rank in (0, 1))
    assert not any(drawn in other for drawn in one)


def test_a_batch_of_all_examples_is_transformed_too() -> None:
    batches = TensorBatches(tensors(), SIZE, transform=noisy)
    ((inputs, targets),) = next(iter(batches))
    assert inputs.max() <= 1 and torch.equal(targets, tensors()[1])
