import math
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from lit_anndl.nets.dequantization import LogitSpace, UniformDequantization, VariationalDequantization
from lit_anndl.nets.masked_autoregression import AutoregressiveFlow, MaskedAutoregression
from lit_anndl.nets.multiscale_coupling import MultiscaleCoupling
from lit_anndl.nets.normalizing_flow import NormalizingFlow

Net = TypeVar("Net", bound=nn.Module)
KINDS: dict[str, Callable[[int], nn.Module]] = {
    "coupling": lambda side: MultiscaleCoupling(side, scales=2, steps=2, hidden=8),
    "autoregressive": lambda side: AutoregressiveFlow(side, steps=3, hidden=40),
}


def with_weights(net: Net, scale: float = 0.3) -> Net:
    """Moves all weights from where the map is the identity."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(scale * torch.randn_like(parameter) / max(1, parameter[0].numel()) ** 0.5)
    return net.eval()


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("kind", KINDS)
def test_inverse_after_forward_is_the_identity(kind: str, precision: torch.dtype, tolerance: float) -> None:
    flow = with_weights(KINDS[kind](8)).to(precision)
    x = torch.randn(6, 1, 8, 8, dtype=precision)
    z, _ = flow(x)
    assert not torch.allclose(z, x.flatten(1), atol=0.1)
    torch.testing.assert_close(flow.inverse(z), x, rtol=tolerance, atol=tolerance)  # type: ignore[operator]


@pytest.mark.parametrize("kind", KINDS)
def test_log_determinant_is_that_of_the_jacobian(kind: str) -> None:
    flow = with_weights(KINDS[kind](4)).double()
    for x in torch.randn(3, 1, 1, 4, 4, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda each: flow(each)[0].flatten(), x).reshape(16, 16)
        torch.testing.assert_close(flow(x)[1], torch.linalg.slogdet(jacobian).logabsdet[None])


@pytest.mark.parametrize("kind", KINDS)
def test_a_flow_begins_near_the_identity(kind: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 1, 8, 8)
    z, log_det = KINDS[kind](8)(x)
    torch.testing.assert_close(log_det, torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.square().sum(dim=1), x.flatten(1).square().sum(dim=1))  # but for rotations


@torch.no_grad()
@pytest.mark.parametrize("inputs", [1, 2])
def test_densities_integrate_to_one(inputs: int) -> None:
    steps = [with_weights(MaskedAutoregression(inputs, 16, reverse=reverse), 0.6).double() for reverse in (False, True)]
    axis = torch.linspace(-30, 30, 200_001 if inputs == 1 else 1501, dtype=torch.float64)
    x = torch.cartesian_prod(*[axis] * inputs).reshape(-1, inputs)
    log_p = torch.zeros(len(x), dtype=torch.float64)
    z = x
    for step in steps:
        z, log_det = step(z)
        log_p += log_det
    log_p += -0.5 * (z.square().sum(dim=1) + inputs * math.log(2 * math.pi))
    assert float(log_p.exp().sum() * (axis[1] - axis[0]) ** inputs) == pytest.approx(1, abs=1e-3)


def test_an_autoregressive_value_knows_only_those_before_it() -> None:
    for reverse in (False, True):
        step = with_weights(MaskedAutoregression(6, 30, reverse=reverse), 1.0).double()
        jacobian = torch.autograd.functional.jacobian(lambda x, step=step: step(x)[0][0], torch.randn(1, 6).double())
        assert isinstance(jacobian, Tensor)
        later = jacobian[:, 0].tril(-1) if reverse else jacobian[:, 0].triu(1)
        earlier = jacobian[:, 0].triu(1) if reverse else jacobian[:, 0].tril(-1)
        assert later.abs().max() == 0
        assert (earlier != 0).sum() > 10


@pytest.mark.parametrize("reverse", [False, True])
def test_few_units_still_tell_the_last_value_of_late_ones(reverse: bool) -> None:
    step = with_weights(MaskedAutoregression(64, 8, reverse=reverse), 1.0).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: step(x)[0].sum(dim=0), torch.randn(20, 64).double())
    last, late = (0, slice(8, 20)) if reverse else (63, slice(44, 56))
    assert jacobian[last, :, late].abs().max() > 0


def test_latents_are_as_many_as_pixels_at_every_scale() -> None:
    for side, scales in ((28, 1), (28, 2), (8, 3)):
        flow = MultiscaleCoupling(side, scales, steps=1, hidden=4)
        z, _ = flow(torch.randn(2, 1, side, side))
        assert z.shape == (2, side**2)
        assert flow.inverse(z).shape == (2, 1, side, side)
    with pytest.raises(ValueError, match="28 x 28 cannot be halved 3 times"):
        MultiscaleCoupling(28, 3)


def test_logits_are_inverted_and_their_slope_is_autograd_s() -> None:
    space = LogitSpace(0.05).double()
    y = torch.rand(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    x, slope = space(y)
    torch.testing.assert_close(space.inverse(x), y)
    (gradient,) = torch.autograd.grad(x.sum(), y)
    torch.testing.assert_close(slope, gradient.log().sum(dim=(1, 2, 3)))


def test_uniform_noise_rounds_back_to_the_levels() -> None:
    images = torch.randint(256, (4, 1, 5, 5)).float() / 255
    y, log_q = UniformDequantization()(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close((256 * y).floor() / 255, images)
    assert not log_q.any()


@torch.no_grad()
def test_the_density_of_learnt_noise_integrates_to_one() -> None:
    """E_q[1/q(u)] is the length of [0, 1], 1."""
    noise = with_weights(VariationalDequantization(4), 0.5)
    image = torch.full((200_000, 1, 1, 1), 0.4)
    _, log_q = noise(image, torch.Generator().manual_seed(0))
    assert float((-log_q).exp().mean()) == pytest.approx(1, abs=0.02)


@torch.no_grad()
def test_probabilities_of_levels_add_up_to_one_by_learnt_noise() -> None:
    """Σ E_q[p(y) / q(u)] / 256 over the levels of one pixel, but for the logits beyond α and 1 - α."""
    transform = with_weights(AutoregressiveFlow(1, steps=1, hidden=4))
    flow = NormalizingFlow(transform, with_weights(VariationalDequantization(4), 0.5), LogitSpace(0.001))
    images = torch.arange(256).repeat_interleave(1000).reshape(-1, 1, 1, 1) / 255
    log_p = flow(images, torch.Generator().manual_seed(0)).sum(dim=1)
    assert float(log_p.exp().sum() / 1000) == pytest.approx(1, abs=0.02)


@torch.no_grad()
def test_independent_levels_are_bounded_by_their_entropy() -> None:
    """A flow that knows nothing gives levels no more than their true probability: 8 bits of uniform ones."""
    torch.manual_seed(0)
    images = torch.randint(256, (512, 1, 4, 4)).float() / 255
    flow = NormalizingFlow(MultiscaleCoupling(4, 1, 1, 4), UniformDequantization(), LogitSpace(0.05))
    bits = -flow(images).sum(dim=1).mean() / (16 * math.log(2))
    assert 8 < float(bits) < 9.5


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_gives_the_levels_back(kind: str) -> None:
    flow = NormalizingFlow(with_weights(KINDS[kind](8)), UniformDequantization(), LogitSpace(0.05)).double()
    images = torch.randint(256, (5, 1, 8, 8)).double() / 255
    torch.testing.assert_close(flow.decode(flow.encode(images)), images)
