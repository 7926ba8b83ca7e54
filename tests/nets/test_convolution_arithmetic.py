"""The arithmetic of convolutions against torch and against shapes that networks have."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv1d, conv2d

from lit_anndl.nets.convolution_arithmetic import convolve, output_size, receptive_fields

CASES = [(size, kernel, stride, padding) for size in (1, 4, 7, 28) for kernel in (1, 2, 3, 5) for stride in (1, 2, 3)
         for padding in (0, 1, 2) if kernel <= size + 2 * padding]  # fmt: skip


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), CASES)
def test_sizes_and_sums_are_those_of_torch(size, kernel, stride, padding):
    generator = torch.Generator().manual_seed(0)
    x, k = (torch.randn(length, generator=generator, dtype=torch.float64) for length in (size, kernel))
    ours, theirs = convolve(x, k, stride, padding), conv1d(x[None, None], k[None, None], None, stride, padding)[0, 0]
    assert ours.shape == theirs.shape == (output_size(size, kernel, stride, padding),)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_rows_and_columns(stride, padding):
    generator = torch.Generator().manual_seed(0)
    x, k = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((7, 10), (3, 2)))
    theirs = conv2d(x[None, None], k[None, None], None, stride, padding)[0, 0]
    torch.testing.assert_close(convolve(x, k, stride, padding), theirs, rtol=0, atol=1e-12)


def test_a_kernel_larger_than_its_input():
    with pytest.raises(ValueError, match=r"a kernel of 5 does not fit into 2 values \(4 with padding\), expected 4"):
        output_size(2, 5, padding=1)


@pytest.mark.parametrize("layers", [[(3, 1)], [(3, 2), (3, 2), (3, 2), (2, 2)], [(5, 1), (2, 2), (3, 3)]])
def test_a_unit_sees_what_its_gradient_reaches(layers):
    net = nn.Sequential(*(nn.Conv1d(1, 1, kernel, stride) for kernel, stride in layers))
    x = torch.ones(1, 1, 101, requires_grad=True)
    outputs = net(x)
    outputs[0, 0, outputs.shape[2] // 2].backward()
    assert int((x.grad != 0).sum()) == receptive_fields(layers)[-1]
