"""Dropout whose mask is cut from random bits, many units to a draw."""

import torch
from torch import Generator, Tensor, nn

MANY = 4096
"""Units from which a mask of bits is the faster one."""
_BYTES = 0x0101010101010101  # one bit in each byte of a word


class Dropout(nn.Dropout):
    """x m / (1 - p) in training, mᵢ = 0 with probability p, else 1, independently; x in evaluation.

    On a CPU torch draws each mᵢ by one call of a serial generator, which costs more than the layers around it. Here
    the same generator, torch's own, draws words of 64 bits, which hold 64 fair coins, or 8 numbers of 8 bits where p is
    a multiple of 1/256, else 2 of 32 bits. Of p the nearest multiple of 2⁻³² below 1 counts, in the factor too, so that
    the expected value is x. Small inputs and other devices take torch's way.
    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014.

    Args:
        p: probability of zeroing a value; 1 leaves nothing.
        inplace: has to be False, for gradients need the input of layers before.

    Shapes: any, the input's.

    Raises:
        ValueError: p is no probability; inplace.

    >>> Dropout(0.25)(torch.ones(2, 3)).unique().numel() <= 2, Dropout(1.0)(torch.ones(2))
    (True, tensor([0., 0.]))
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p, inplace)
        if inplace:
            raise ValueError("inplace: True was given, expected False")

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes values, and scales the others."""
        if self.training and self._pays(x):
            return x * scaled_mask(x, self.p)
        return super().forward(x)

    def scaled_mask(self, x: Tensor, generator: Generator) -> Tensor:
        """What x is multiplied by in training, m / (1 - p), drawn from a generator in the place of torch's own."""
        if self._pays(x):
            return scaled_mask(x, self.p, generator)
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=generator)
        return kept.div_(1 - self.p) if self.p < 1 else kept

    def _pays(self, x: Tensor) -> bool:
        """Whether a mask of bits is faster."""
        return 0 < self.p < 1 and x.device.type == "cpu" and x.numel() >= MANY


def scaled_mask(x: Tensor, p: float, generator: Generator | None = None) -> Tensor:
    """m / (1 - p) for a dense tensor x, in its shape, type and memory format, 0 < p < 1."""
    if p == 0.5:
        coins = _words(x.numel(), generator)[:, None] >> torch.arange(8)  # 64 words of 8 bytes for each 8
        return _like(x, coins.bitwise_and_(_BYTES).view(torch.uint8)).to(x.dtype).mul_(2)
    kind, bits = (torch.int8, 8) if (256 * p).is_integer() else (torch.int32, 32)
    dropped = min(round(p * 2**bits), 2**bits - 1)
    numbers = _like(x, _words(x.numel() * bits, generator).view(kind))  # uniform in [-2ᵇ⁻¹, 2ᵇ⁻¹)
    kept: Tensor = numbers >= dropped - 2 ** (bits - 1)
    return kept.to(x.dtype).mul_(2**bits / (2**bits - dropped))


def _words(bits: int, generator: Generator | None) -> Tensor:
    """So many fair bits at least, in words of 64."""
    return torch.empty(-(-bits // 64), dtype=torch.int64).random_(-(2**63), None, generator=generator)


def _like(x: Tensor, values: Tensor) -> Tensor:
    """As many values as x has, in its shape and, where that is dense, its memory format."""
    return values.flatten().as_strided(x.shape, torch.empty_like(x, device="meta").stride())
