"""What a decoder's outputs say of the values in [0, 1] of an image, one by one: distributions p(x | outputs)."""

import math
from abc import abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd import Function

from lit_anndl.nets.dequantization import LEVELS

LikelihoodName = Literal["bernoulli", "gaussian", "categorical"]
_SMOOTHING = 0.5
"""Of so many values more than there are each is 1/2, for log-odds that are finite."""


class ValueLikelihood(nn.Module):
    """p(x | outputs) = Π_i p(x_i | outputs_i), each value from outputs of its own.

    Attributes:
        outputs_per_value: how many.
        width: numbers that are held for each value while its probability is computed.
    """

    outputs_per_value: int = 1
    width: int = 1

    @abstractmethod
    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """log p(x | outputs) in nats: outputs (…, values · outputs_per_value), x (…, values) → (…,)."""

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """E[x | outputs], in [0, 1]: (…, values · outputs_per_value) → (…, values)."""

    @abstractmethod
    def initial_bias(self, x: Tensor) -> Tensor:
        """Outputs to begin with: (values · outputs_per_value,).

        They give each value its mean over x (n, values), unless the likelihood has parameters that say otherwise.
        """


class Bernoulli(ValueLikelihood):
    """log p(x | l) = Σ_i x_i l_i - log(1 + exp l_i), of logits l.

    A likelihood of zeros and ones. Of grey levels it is minus a cross-entropy, which no distribution normalises
    (Loaiza-Ganem & Cunningham, NeurIPS 2019).
    """

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Minus the binary cross-entropy, summed."""
        log_prob: Tensor = _LogBernoulli.apply(_precise(outputs), x)
        return log_prob

    def mean(self, outputs: Tensor) -> Tensor:
        """p(x = 1)."""
        return outputs.sigmoid()

    def initial_bias(self, x: Tensor) -> Tensor:
        """The log-odds of the means."""
        return ((x.sum(dim=0) + _SMOOTHING) / (len(x) + 2 * _SMOOTHING)).logit()


class Gaussian(ValueLikelihood):
    """A density: log p(x | m) = -Σ_i [(x_i - m_i)² / 2σ² + log σ + ½ log 2π], one σ for all values.

    A fixed σ makes it a squared error of some weight; a learnt one comes to the root of the mean squared error, which
    weighs reconstruction and KL divergence by itself (Rybkin, Daniilidis & Levine, ICML 2021).

    Args:
        deviation: σ, fixed; None to learn it, from 1 on.
    """

    log_deviation: Tensor

    def __init__(self, deviation: float | None = None) -> None:
        super().__init__()
        if deviation is not None and not deviation > 0:
            raise ValueError(f"a standard deviation of {deviation} was given, expected one above 0")
        start = torch.tensor(math.log(deviation or 1.0))
        if deviation is None:
            self.log_deviation = nn.Parameter(start)
        else:
            self.register_buffer("log_deviation", start)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The density's logarithm, summed."""
        outputs = _precise(outputs)
        squares = (outputs - x).square().sum(dim=-1)
        log_deviation = self.log_deviation.to(outputs)
        constant = outputs.shape[-1] * (log_deviation + 0.5 * math.log(2 * math.pi))
        return -0.5 * squares * (-2 * log_deviation).exp() - constant

    def mean(self, outputs: Tensor) -> Tensor:
        """The means, cut off at 0 and 1."""
        return outputs.clamp(0, 1)

    def initial_bias(self, x: Tensor) -> Tensor:
        """The means themselves."""
        return x.mean(dim=0)


class Categorical(ValueLikelihood):
    """p(x_i = j/255) = softmax_j(A c_i + b): 256 levels of 8-bit pixels, none of which is taken to be near another.

    A and b are shared by all values, a 1×1 convolution of c_i, the channels that the decoder gives value i: without
    sharing, 784 · 256 outputs would make the last layer hundreds of times larger than all others.

    Args:
        channels: of c_i.
    """

    width = LEVELS

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.outputs_per_value = channels
        self.readout = nn.Linear(channels, LEVELS)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The log-probabilities of the levels nearest to x, summed."""
        logits = self._logits(outputs)  # (…, values, 256)
        levels = (x * (LEVELS - 1)).round().long().expand(logits.shape[:-1])
        chosen = logits.gather(-1, levels.unsqueeze(-1)).squeeze(-1)
        return (chosen - logits.logsumexp(dim=-1)).sum(dim=-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """The expected level, of 255."""
        logits = self._logits(outputs)
        return logits.softmax(dim=-1) @ torch.linspace(0, 1, LEVELS, device=logits.device, dtype=logits.dtype)

    def initial_bias(self, x: Tensor) -> Tensor:
        """Zeros: A and b say what they mean."""
        return torch.zeros(x.shape[1] * self.outputs_per_value, dtype=x.dtype, device=x.device)

    def _logits(self, outputs: Tensor) -> Tensor:
        return _precise(self.readout(outputs.unflatten(-1, (-1, self.outputs_per_value))))


def make_likelihood(name: LikelihoodName, deviation: float | None = None) -> ValueLikelihood:
    """The likelihood of a name; `deviation` is that of the Gaussian."""
    match name:
        case "bernoulli":
            return Bernoulli()
        case "gaussian":
            return Gaussian(deviation)
    return Categorical()


def _precise(outputs: Tensor) -> Tensor:
    """Outputs in single precision at least: what is summed over hundreds of values is no task for halves."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


class _LogBernoulli(Function):
    """Σ_i x_i l_i - softplus(l_i) with its gradient x - σ(l), written out.

    softplus(l) = max(l, 0) - log σ(|l|), from a sigmoid that the gradient needs anyway: a quarter of the time of
    `binary_cross_entropy_with_logits`, whose log1p is most of a step.
    """

    @staticmethod
    def forward(context: Any, logits: Tensor, x: Tensor) -> Tensor:
        """Logits (…, values), x (values' shape, or what expands to it) → (…,)."""
        probability = logits.sigmoid()
        context.save_for_backward(probability, x)
        terms = torch.maximum(probability, 1 - probability).log_()
        return terms.sub_(logits.relu()).addcmul_(logits, x.to(logits).expand_as(logits)).sum(dim=-1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Of the logits alone."""
        probability, x = context.saved_tensors
        return (x - probability).mul_(gradients[0].unsqueeze(-1)), None
