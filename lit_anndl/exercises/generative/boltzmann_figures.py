"""What can be seen of the units of Boltzmann machines: what they look at, weights and activity."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.digits.idx import SIDE
from lit_anndl.plots.distributions import histograms
from lit_anndl.plots.images import filters

_FILTERS = 100


def receptive_fields(weights: Tensor, name: str = "") -> Figure:
    """What units look at: weights (visible, units), of the layer of a name."""
    shown = weights.cpu().T[:_FILTERS].reshape(-1, 1, SIDE, SIDE)
    return filters(shown, f"{name}weights of {len(shown)} of {weights.shape[1]} hidden units")


def distributions(parts: Mapping[str, Tensor], title: str) -> Figure:
    """Histograms of weights, biases or means, by what they are."""
    values = {name: each.detach().float().cpu().flatten().numpy() for name, each in parts.items()}
    return histograms(values, title)
