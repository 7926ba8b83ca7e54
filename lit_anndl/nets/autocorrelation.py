"""How long chains remember."""

import torch
from torch import Tensor

_WINDOW = 5.0
"""The sum ends at the first lag that is so many times τ: correlations of longer lags are noise alone (Sokal 1997)."""


def autocorrelation_time(chains: Tensor) -> float:
    """τ = 1 + 2 Σ_t ρ(t), steps per independent sample, of a quantity along chains (steps, chains) that have converged.

    ρ(t) is the correlation of the quantity with itself t steps later, about the mean over all chains; the sum ends at
    the first lag t ≥ 5 τ. A τ of more than a fifth of the steps means that they are too few to tell.

    >>> autocorrelation_time(torch.randn(1000, 50, generator=torch.Generator().manual_seed(0))) < 1.2
    True
    """
    steps = len(chains)
    deviations = (chains - chains.mean()).double()
    spectrum = torch.fft.rfft(deviations, n=2 * steps, dim=0)
    sums = torch.fft.irfft(spectrum.abs() ** 2, n=2 * steps, dim=0)[:steps].mean(dim=1)
    covariance = sums / torch.arange(steps, 0, -1, device=chains.device)
    if covariance[0] == 0:
        return float(steps)  # nothing moves
    times = 2 * (covariance / covariance[0]).cumsum(dim=0) - 1
    far = torch.arange(steps, device=chains.device) >= _WINDOW * times
    return float(times[int(far.int().argmax())] if far.any() else times[-1])
