import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, wasserstein_distance
from torch import nn
from torch.nn.functional import binary_cross_entropy

from lit_anndl.nets.adversarial_losses import (
    ADVERSARIAL_LOSSES,
    clip_weights,
    critic,
    cross_entropy,
    gradient_norm,
    gradient_penalty,
    minimax,
    non_saturating,
)

DOUBLE = torch.float64


@pytest.fixture
def scores():
    return torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)


def test_they_are_the_cross_entropies_of_the_sigmoid(scores):
    real, fake = scores
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    halves = binary_cross_entropy(real.sigmoid(), ones), binary_cross_entropy(fake.sigmoid(), zeros)
    assert torch.allclose(cross_entropy(real, fake), sum(halves) / 2)
    assert torch.allclose(non_saturating(fake), binary_cross_entropy(fake.sigmoid(), ones))
    assert torch.allclose(minimax(fake), -binary_cross_entropy(fake.sigmoid(), zeros))


def test_a_game_of_zero_sum_has_one_payoff(scores):
    real, fake = (each.requires_grad_() for each in scores)
    (of_discriminator,) = torch.autograd.grad(2 * cross_entropy(real, fake), fake)
    (of_generator,) = torch.autograd.grad(minimax(fake), fake)
    assert torch.allclose(of_discriminator, -of_generator)


def test_the_best_discriminator_measures_the_jensen_shannon_divergence():
    """The score that is learnt at each of some points is log p/q, and log 2 - loss is the divergence."""
    p, q = (torch.tensor(weights, dtype=DOUBLE) for weights in ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]))
    number = 1000
    real, fake = (torch.arange(4).repeat_interleave((law * number).round().long()) for law in (p, q))
    score = torch.zeros(4, dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.LBFGS([score], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(score[real], score[fake])
        loss.backward()
        return loss

    optimizer.step(closure)
    assert torch.allclose(score.detach(), (p / q).log(), atol=1e-5)
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    assert math.log(2) - float(closure().detach()) == pytest.approx(float(divergence))


def test_the_best_score_of_two_normal_laws_is_the_log_of_their_ratio():
    """Any other score of the form a x + b, b = -a/2, costs more on N(1, 1) against N(0, 1), where it is x - ½."""

    def expected(slope: float) -> float:
        def density(x: float) -> float:
            score = torch.tensor(slope * (x - 0.5), dtype=DOUBLE)
            zero = torch.zeros((), dtype=DOUBLE)
            costs = [2 * float(cross_entropy(*pair)) - math.log(2) for pair in ((score, zero), (zero, score))]
            return float(norm.pdf(x, 1) * costs[0] + norm.pdf(x, 0) * costs[1]) / 2

        return quad(density, -9, 10)[0]

    best = expected(1.0)
    assert all(expected(slope) > best for slope in (0.0, 0.5, 0.9, 1.1, 2.0))


def test_gradients_of_a_sure_discriminator():
    """By the score of a fake they are -D in the game of zero sum, D - 1 without saturation, -1 of a critic."""
    for name, slope in (
        ("minimax", lambda d: -d),
        ("non_saturating", lambda d: d - 1),
        ("wasserstein", lambda d: -1.0),
    ):
        for value in (-20.0, -5.0, 0.0, 3.0):
            score = torch.tensor([value], dtype=DOUBLE, requires_grad=True)
            (found,) = torch.autograd.grad(ADVERSARIAL_LOSSES[name].generator(score), score)
            assert float(found) == pytest.approx(slope(float(score.detach().sigmoid())))


def test_a_critic_of_slope_one_measures_the_wasserstein_distance():
    """Of two shifted samples on a line f(x) = x is the best critic."""
    fake = torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    real = fake + 3
    distance = wasserstein_distance(real.numpy(), fake.numpy())
    assert -float(critic(real, fake)) == pytest.approx(distance) == pytest.approx(3)
    threshold = ADVERSARIAL_LOSSES["wasserstein"].threshold(real + 7, fake + 7)  # whatever its constant
    assert float((real + 7 > threshold).double().mean()) == float((real > fake.mean() + 1.5).double().mean())


@pytest.mark.parametrize("size", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_that_of_its_slope(size):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0)).to(DOUBLE)
    weight = nn.functional.normalize(torch.randn(1, 12, generator=torch.Generator().manual_seed(0), dtype=DOUBLE))
    linear[1].weight.data = size * weight
    real, fake = torch.randn(2, 5, 1, 3, 4, dtype=DOUBLE)
    penalty = gradient_penalty(linear, real, fake, torch.rand(5, dtype=DOUBLE))
    assert float(penalty.detach()) == pytest.approx((size - 1) ** 2)
    (gradient,) = torch.autograd.grad(penalty, linear[1].weight)
    assert torch.allclose(gradient, 2 * (size - 1) * weight if size else torch.zeros_like(weight))


def test_the_penalty_is_taken_between_real_and_fake():
    class Square(nn.Module):
        def forward(self, x):
            return x.flatten(1).square().sum(dim=1) / 2  # its slope at x is ‖x‖

    real, fake = torch.tensor([[2.0, 0.0]]), torch.tensor([[4.0, 0.0]])
    for share, at in ((1.0, 2.0), (0.0, 4.0), (0.25, 3.5)):
        penalty = gradient_penalty(Square(), real, fake, torch.tensor([share]))
        assert float(penalty.detach()) == pytest.approx((at - 1) ** 2)


def test_clipping_and_norm():
    net = nn.Linear(3, 2)
    net.weight.data = torch.tensor([[0.5, -0.5, 0.001], [0.0, 0.02, -0.002]])
    clip_weights(net, 0.01)
    assert torch.equal(net.weight.data, torch.tensor([[0.01, -0.01, 0.001], [0.0, 0.01, -0.002]]))
    assert float(net.bias.detach().abs().max()) <= 0.01
    x = torch.ones(1, 3)
    loss = net(x).sum()
    assert float(gradient_norm(loss, net)) == pytest.approx(math.sqrt(6 + 2))
    loss.backward()  # it can be differentiated again, and nothing was left behind
    assert torch.equal(net.weight.grad, torch.ones(2, 3))
