"""A part of benchmark.py on variational autoencoders: seconds per epoch of vae, vae_burda and iwae."""

from collections.abc import Callable
from pathlib import Path

import torch
from contenders import ALL_THREADS, ours, timed
from side_by_side import print_heading, print_row
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lit_anndl.config.configuration import parse
from lit_anndl.data.mnist import MNISTData
from lit_anndl.nets.importance_bound import log_mean_exp, terms
from lit_anndl.nets.variational import VAE

Loss = Callable[[VAE, Tensor, int], Tensor]
_EPOCHS = {"vae": 2, "vae_burda": 4, "iwae": 2}
"""Several of those that are short, beside which reading the data takes long."""


def vae(rounds: int, _: Path) -> None:
    """Epochs with validation: ours, a lean loop over the same net and loss, and one with torch's cross-entropy."""
    names = ("ours", "lean", "torch")
    print_heading("vae, ms/epoch", names)
    for exercise, epochs in _EPOCHS.items():
        print_row(exercise, names, [_round(exercise, epochs) for _ in range(rounds)])


def _round(exercise: str, epochs: int) -> dict[str, float]:
    """Seconds per epoch of each, once; ours chooses its number of threads, so the others get the better of two."""
    made = parse(exercise, []).instantiate()
    data, model = made.data, made.model
    data.setup("fit")
    seconds = {"ours": ours(exercise, epochs)}
    for name, loss in (("lean", _same_loss), ("torch", _torch_loss)):
        optimizer = torch.optim.Adam(model.net.parameters(), lr=1e-3, fused=True)
        epoch = _loop(model.net, model.samples, data, optimizer, loss)
        seconds[name] = min(timed(epoch, epochs, threads) for threads in sorted({1, ALL_THREADS}))
    return seconds


def _loop(net: VAE, samples: int, data: MNISTData, optimizer: torch.optim.Optimizer, loss: Loss) -> Callable[[], None]:
    """A hand-written epoch over tensors in memory."""
    images, validation = (part[0].flatten(1) for part in (data.train, data.validation))

    def epoch() -> None:
        for indices in torch.randperm(len(images)).split(data.batch_size):
            x = images[indices]
            if data.binarization == "dynamic":
                x = torch.bernoulli(x)
            optimizer.zero_grad()
            loss(net, x, samples).backward()
            optimizer.step()
        with torch.inference_mode():
            for x in validation.split(1000):
                loss(net, x, samples).item()

    return epoch


def _same_loss(net: VAE, x: Tensor, samples: int) -> Tensor:
    """The loss by the functions of `nets`."""
    found = terms(net, x, samples)
    return (found.elbo_loss() if samples == 1 else found.importance_loss()).mean()


def _torch_loss(net: VAE, x: Tensor, samples: int) -> Tensor:
    """The same as one would write it with torch's cross-entropy."""
    mean, log_variance = net.encoder(x).chunk(2, dim=-1)
    noise = torch.randn(samples, *mean.shape)
    z = mean + (0.5 * log_variance).exp() * noise
    logits = net.decoder(z)
    cross_entropy = binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(dim=-1)
    if samples == 1:
        return (cross_entropy[0] + 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)).mean()
    return -log_mean_exp(0.5 * (noise.square() + log_variance - z.square()).sum(dim=-1) - cross_entropy).mean()
