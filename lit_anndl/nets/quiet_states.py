"""A part of the partition function that no chain has to find: states in which one side of the machine is quiet."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lit_anndl.nets.boltzmann import RBM


@torch.no_grad()
def log_z_of_quiet_states(rbm: RBM) -> float:
    """The logarithm of Σ exp(-E) over the states with one active hidden unit at most, or one visible, if that is more.

    With none or one of the hidden units on it is Π_i (1 + exp(b_i)) + Σ_j exp(a_j) Π_i (1 + exp(b_i + W_ij)), exactly:
    a lower bound of log Z, in double precision, of as many operations as there are weights. It matters where visible
    units that nothing holds have more states than all that is learnt: chains that begin elsewhere never come there,
    neither those of training nor those of annealed importance sampling.
    """
    weight, visible, hidden = (each.double() for each in rbm.parameters())
    return max(_one_active(weight, visible, hidden), _one_active(weight.T, hidden, visible))


def _one_active(weight: Tensor, free: Tensor, quiet: Tensor) -> float:
    """That of one side: weights (free, quiet), biases of either."""
    none = softplus(free).sum()
    one = quiet + torch.stack([softplus(free + of_unit).sum() for of_unit in weight.T])
    return float(torch.cat([none[None], one]).logsumexp(dim=0))
