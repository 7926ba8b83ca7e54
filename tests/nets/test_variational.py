import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from lit_anndl.nets.importance_bound import importance_bound, log_mean_exp, terms
from lit_anndl.nets.likelihoods import Bernoulli, Categorical, Gaussian
from lit_anndl.nets.variational import VAE, Posterior


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def linear_data(generator, number=200):
    """Points of six values about a plane."""
    plane = normal(generator, 2, 6) * torch.tensor([[2.0], [1.0]], dtype=torch.float64)
    return normal(generator, number, 2) @ plane + 0.5 * normal(generator, number, 6) + 1.0


def test_kl_divergence_and_log_ratio(generator):
    posterior = Posterior(normal(generator, 3, 4), normal(generator, 3, 4))
    q, prior = Normal(posterior.mean, (0.5 * posterior.log_variance).exp()), Normal(0.0, 1.0)
    torch.testing.assert_close(posterior.kl_divergence(), kl_divergence(q, prior).sum(dim=1))
    z, noise = posterior.sample(5, generator)
    torch.testing.assert_close(posterior.log_ratio(z, noise), (prior.log_prob(z) - q.log_prob(z)).sum(dim=-1))
    many, noise = posterior.sample(20_000, generator)
    torch.testing.assert_close(
        -posterior.log_ratio(many, noise).mean(dim=0), posterior.kl_divergence(), rtol=0, atol=0.1
    )


def exact_vae(generator):
    """A linear Gaussian model whose encoder is its exact posterior, and its log-likelihood."""
    net = VAE(6, 2, [], Gaussian(0.7)).double()
    decoder, encoder = net.decoder[-1], net.encoder[-1]
    with torch.no_grad():
        basis, _ = torch.linalg.qr(normal(generator, 6, 2))
        decoder.weight.copy_(basis * torch.tensor([2.0, 1.0]))
        variance = 1 / (1 + decoder.weight.square().sum(dim=0) / 0.49)
        gain = variance.unsqueeze(1) * decoder.weight.T / 0.49
        encoder.weight.copy_(torch.cat([gain, torch.zeros(2, 6)]))
        encoder.bias.copy_(torch.cat([-gain @ decoder.bias, variance.log()]))
        covariance = decoder.weight @ decoder.weight.T + 0.49 * torch.eye(6)
    return net, MultivariateNormal(decoder.bias.detach(), covariance)


@torch.no_grad()
def test_with_the_exact_posterior_every_sample_has_the_exact_likelihood(generator):
    net, distribution = exact_vae(generator)
    x = distribution.sample((7,))
    found = terms(net, x, 3, generator)
    log_w = found.log_ratio - found.reconstruction
    expected = distribution.log_prob(x)
    torch.testing.assert_close(log_w, expected.expand(3, -1), rtol=0, atol=1e-5)
    torch.testing.assert_close(-found.importance_loss(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(importance_bound(net, x, 10, generator, at_once=20), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_few_codes_are_decoded_at_a_time_where_each_pixel_has_many_levels(generator, monkeypatch):
    net = VAE(4, 2, [5], Categorical(), "relu")
    decoded, decode = [], net.decode
    monkeypatch.setattr(net, "decode", lambda z: decoded.append(z.shape[:-1].numel()) or decode(z))
    importance_bound(net, torch.rand(3, 4, generator=generator), 10, generator, at_once=3 * 4 * 256)
    assert decoded == [3 * 4, 3 * 4, 3 * 2]


@torch.no_grad()
def test_bounds_grow_with_their_samples_towards_the_likelihood(generator):
    net, distribution = exact_vae(generator)
    net.encoder[-1].bias += torch.tensor([0.5, -0.5, 0.8, 0.8])  # the posterior is missed
    x = distribution.sample((200,))
    exact = float(distribution.log_prob(x).mean())
    bounds = [float(importance_bound(net, x, samples, generator).mean()) for samples in (1, 10, 100, 5000)]
    assert bounds == sorted(bounds) and bounds[0] < exact - 0.3
    assert bounds[-1] == pytest.approx(exact, abs=0.01)
    elbo = -float(terms(net, x, 1000, generator).elbo_loss().mean())
    assert elbo == pytest.approx(bounds[0], abs=0.2)


def test_the_elbo_of_a_linear_vae_reaches_probabilistic_pca(generator):
    """Lucas, Tucker, Grosse & Norouzi, NeurIPS 2019: it has no optimum but that of the likelihood."""
    torch.manual_seed(0)
    x = linear_data(generator)
    net = VAE(6, 2, [], Gaussian()).double()
    net.start_from_means(x)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1200)
    for _ in range(1200):
        loss = terms(net, x, 1, generator).elbo_loss().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        elbo = -float(terms(net, x, 1000, generator).elbo_loss().mean())
    exact = PCA(2).fit(x.numpy()).score(x.numpy())
    assert exact - 0.02 < elbo < exact + 0.005
    deviation = PCA(2).fit(x.numpy()).noise_variance_ ** 0.5
    assert net.likelihood.log_deviation.exp().item() == pytest.approx(deviation, rel=0.02)


def test_weights_of_the_divergence(generator):
    net = VAE(6, 2, [5], Bernoulli()).double()
    x = normal(generator, 4, 6).sigmoid()
    found = terms(net, x, 3, generator)
    torch.testing.assert_close(found.elbo_loss(0.0), found.reconstruction.mean(dim=0))
    torch.testing.assert_close(found.elbo_loss(2.0) - found.elbo_loss(1.0), found.kl)
    torch.testing.assert_close(found.importance_loss(0.0), -log_mean_exp(-found.reconstruction))


def test_no_latent_dimension():
    with pytest.raises(ValueError, match="0 latent dimensions were given"):
        VAE(6, 0, [5], Bernoulli())
