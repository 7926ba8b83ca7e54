import torch

from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.inpainting import inpaint


def machine() -> RBM:
    """Two prototypes, 11110000 and 00001111."""
    rbm = RBM(8, 1)
    with torch.no_grad():
        rbm.weight[:, 0] = torch.tensor([12.0] * 4 + [-12.0] * 4)
        rbm.visible_bias.copy_(torch.tensor([-6.0] * 4 + [6.0] * 4))
    return rbm


def test_the_hidden_part_is_filled_in_from_the_visible_one():
    v = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]])
    hidden = torch.tensor([False, False, True, True, False, False, True, True])
    filled = inpaint(machine(), v, hidden, 3, generator=torch.Generator().manual_seed(0))
    assert float((filled - v).abs().max()) < 0.01 and torch.equal(filled[:, ~hidden], v[:, ~hidden])


def test_unclamped_chains_leave_the_image():
    rbm, generator = machine(), torch.Generator().manual_seed(0)
    torch.nn.init.normal_(rbm.weight)
    torch.nn.init.zeros_(rbm.visible_bias)
    v = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0]]).repeat(200, 1)
    hidden = torch.zeros(8, dtype=torch.bool)
    assert torch.equal(inpaint(rbm, v, hidden, 5, generator=generator), v)
    drifted = inpaint(rbm, v, hidden, 5, clamp=False, generator=generator)
    assert not torch.equal(drifted, v) and drifted.min() > 0 and drifted.max() < 1
