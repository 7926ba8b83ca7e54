import math

import pytest
import torch
from torch.distributions import Normal
from torch.nn.functional import binary_cross_entropy_with_logits

from lit_anndl.nets.likelihoods import LEVELS, Bernoulli, Categorical, Gaussian, make_likelihood


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_bernoulli_is_minus_the_cross_entropy_with_its_gradient(scale, draw):
    logits, x = (scale * draw(3, 4, 6)).requires_grad_(), draw(4, 6).sigmoid()
    ours = Bernoulli().log_prob(logits, x)
    (gradient,) = torch.autograd.grad(ours.sum(), logits)
    theirs = -binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(dim=-1)
    (expected,) = torch.autograd.grad(theirs.sum(), logits)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient, expected)


def test_bernoulli_weighs_what_comes_after_it(draw):
    logits, x, weights = draw(3, 5).requires_grad_(), draw(3, 5).sigmoid(), draw(3)
    assert torch.autograd.gradcheck(lambda each: Bernoulli().log_prob(each, x) @ weights, [logits])


def test_gaussian_is_the_normal_density(draw):
    means, x = draw(3, 4, 6), draw(4, 6)
    for likelihood, deviation in ((Gaussian(0.3), 0.3), (Gaussian(), 1.0)):
        expected = Normal(means, deviation).log_prob(x).sum(dim=-1)
        torch.testing.assert_close(likelihood.log_prob(means, x), expected, rtol=1e-6, atol=1e-6)
    assert [p.requires_grad for p in Gaussian().parameters()] == [True] and not list(Gaussian(0.3).parameters())


def test_the_best_deviation_is_the_root_of_the_mean_squared_error(draw):
    means, x = draw(50, 6), draw(50, 6)
    likelihood = Gaussian().double()
    with torch.no_grad():
        likelihood.log_deviation.fill_((means - x).square().mean().sqrt().log())
    (slope,) = torch.autograd.grad(likelihood.log_prob(means, x).mean(), likelihood.log_deviation)
    assert slope.item() == pytest.approx(0, abs=1e-6)


def test_categorical_probabilities_of_all_levels_add_up_to_one(draw):
    likelihood = Categorical(3).double()
    outputs = draw(1, 3)  # of one value
    levels = torch.linspace(0, 1, LEVELS, dtype=torch.float64).unsqueeze(1)
    probability = likelihood.log_prob(outputs.expand(LEVELS, -1), levels).exp()
    assert probability.sum().item() == pytest.approx(1)
    assert likelihood.mean(outputs).item() == pytest.approx((probability @ levels).item(), rel=1e-6)


def test_categorical_of_several_samples_and_values(draw):
    likelihood = Categorical(3).double()
    outputs, x = draw(2, 4, 5 * 3), draw(4, 5).sigmoid()
    apart = [
        sum(likelihood.log_prob(outputs[k, b, 3 * i : 3 * i + 3], x[b, i : i + 1]) for i in range(5))
        for k in range(2)
        for b in range(4)
    ]
    torch.testing.assert_close(likelihood.log_prob(outputs, x), torch.stack(apart).reshape(2, 4))


@pytest.mark.parametrize("name", ["bernoulli", "gaussian"])
def test_the_first_outputs_are_the_means(name, draw):
    x = draw(40, 6).sigmoid().round()
    x[:, 0] = 0  # log-odds stay finite
    likelihood = make_likelihood(name)
    torch.testing.assert_close(likelihood.mean(likelihood.initial_bias(x)), x.mean(dim=0), rtol=0, atol=0.02)


def test_halves_are_summed_in_single_precision(draw):
    logits, x = draw(4, 784).to(torch.bfloat16), draw(4, 784).sigmoid().float()
    assert Bernoulli().log_prob(logits, x).dtype == torch.float32


def test_no_deviation():
    for deviation in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="expected one above 0"):
            Gaussian(deviation)
