import pytest
import torch

from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.enumerated_states import EnumeratedStates
from lit_anndl.nets.quiet_states import log_z_of_quiet_states


def machine(visible: int, hidden: int, scale: float = 1.0) -> RBM:
    torch.manual_seed(visible)
    rbm = RBM(visible, hidden, scale)
    torch.nn.init.normal_(rbm.visible_bias)
    torch.nn.init.normal_(rbm.hidden_bias)
    return rbm


def weighed_by_hand(rbm: RBM) -> list[tuple[int, int, float]]:
    """Active visible and hidden units of each state, and minus its energy."""
    bits = [torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * n).reshape(-1, n) for n in rbm.weight.shape]
    return [(int(v.sum()), int(h.sum()), -rbm.energy(v, h).item()) for v in bits[0] for h in bits[1]]


@pytest.mark.parametrize("visible, hidden", [(5, 3), (3, 5), (4, 1)])
def test_it_is_what_the_states_with_one_active_unit_at_most_have(visible: int, hidden: int) -> None:
    states = weighed_by_hand(rbm := machine(visible, hidden))
    sides = [torch.tensor([minus for *active, minus in states if active[side] <= 1]) for side in (0, 1)]
    assert log_z_of_quiet_states(rbm) == pytest.approx(max(float(each.logsumexp(0)) for each in sides), rel=1e-5)


def test_it_is_no_more_than_log_z_and_nearly_that_where_nothing_is_active() -> None:
    rbm = machine(12, 8, 2.0)
    assert log_z_of_quiet_states(rbm) < EnumeratedStates(rbm).log_z
    with torch.no_grad():
        rbm.hidden_bias.fill_(-60)
    assert log_z_of_quiet_states(rbm) == pytest.approx(EnumeratedStates(rbm).log_z)
