"""Standardised inputs."""

from torch import Tensor, nn


class Standardize(nn.Module):
    """x ↦ (x - m) / s, with m and s known beforehand.

    Networks train faster on inputs of mean 0 and standard deviation 1 (LeCun, Bottou, Orr & Müller, Efficient
    BackProp, 1998); uniform on [a, b] they have m = (a + b) / 2 and s = (b - a) / √12.

    Args:
        mean: m, in units of x.
        std: s, likewise.
    """

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean = mean
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """The standardised inputs: any shape."""
        return (x - self.mean) / self.std

    def extra_repr(self) -> str:
        """m and s."""
        return f"mean={self.mean}, std={self.std}"
