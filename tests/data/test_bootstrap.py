import math

import torch

from lit_anndl.data.bootstrap import bootstrap


def test_examples_stay_together_and_come_from_the_data() -> None:
    inputs, targets = torch.arange(20.0).view(10, 2), torch.arange(10)
    drawn, labels = bootstrap((inputs, targets), 4, seed=0)
    assert drawn.shape == (10, 4, 2) and labels.shape == (10, 4)
    assert torch.equal(drawn, inputs[labels])


def test_share_of_the_examples_that_a_sample_has() -> None:
    (drawn,) = bootstrap((torch.arange(2000),), 50, seed=0)
    shares = torch.tensor([len(sample.unique()) / 2000 for sample in drawn.T])
    assert abs(shares.mean().item() - (1 - 1 / math.e)) < 0.003


def test_samples_differ_and_depend_on_the_seed() -> None:
    data = (torch.arange(100),)
    (first,), (again,), (other,) = bootstrap(data, 2, 0), bootstrap(data, 2, 0), bootstrap(data, 2, 1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[:, 0], first[:, 1])
