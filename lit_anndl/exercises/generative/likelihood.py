"""The log-likelihood that a Boltzmann machine gives to binary images, with what is uncertain of it."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.chain_memory import refuse_chains
from lit_anndl.nets.annealed_importance_sampling import (
    Base,
    Estimate,
    annealed,
    annealed_back,
    base_from_noise,
    base_of_images,
    schedule,
)
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains
from lit_anndl.nets.enumerated_states import MOST_ENUMERATED, EnumeratedStates
from lit_anndl.nets.quiet_states import log_z_of_quiet_states
from lit_anndl.quality.timed import LIKELIHOOD_SECONDS, timed
from lit_anndl.runtime.terminal import announce

_log = logging.getLogger(__name__)

LOG_LIKELIHOOD = "log_likelihood"
_STAGES = ((0.5, 500), (0.9, 4000), (1.0, 10_000))
"""The published temperatures; others are spread alike."""
_BURN_IN = 1000
"""Gibbs steps from training images to the samples that chains come down from, and from noise to a base."""
_TIMED = 20
"""Temperatures after which it is known how long all take."""


@dataclass(frozen=True)
class Likelihood:
    """How log Z is estimated; of a machine of several hidden layers that of the restricted machine that it is.

    Reported are `test/log_likelihood` by chains that go up, as is published of such machines, with its standard error
    `test/log_likelihood_error`: where it is more than a third or so, a few chains decide, and the estimate is worth
    little. A bracket: `test/log_likelihood_upper` is that estimate, which flatters on average, plus three standard
    errors (see `Estimate.margin`); `test/log_likelihood_lower`, that by chains that come down from samples of the
    machine, minus three, or the least that chains which go up tell, if that is lower. What they find of log Z are
    `test/log_partition_function` and `test/log_partition_function_reverse`.

    Chains may miss where most of Z is, both those that go up from rates of training images and those that come down
    from such. Hence others go up from the rates of where chains from noise end: of
    `test/log_partition_function_from_images` and `test/log_partition_function_from_noise` that one is told, with its
    error, which is more less its margin; either is too high by more than that in one of 740 cases at most. And what
    states with one active unit at most have of Z is summed, see `quiet_states`, as
    `test/log_partition_function_least`: where that is more than chains find, the likelihood is told by it; by more than
    the margin, it has no error, as chains have missed something.

    Where the hidden units are few, log Z is summed over all their states, for `test/log_partition_function_exact` and
    `test/log_likelihood_exact`, and chains come down from exact samples. Of other machines they come down from what
    1000 Gibbs steps make of training images, and the bracket holds if that suffices. Where they find less than chains
    that go up, by more than the margins, it did not: there is no lower end then, and a warning says so.

    Args:
        chains: how many; 0 for none of this.
        temperatures: between the base rates and the machine.
        enumerate_states: whether log Z is summed over all states of the hidden units; None where they are 20 at most.
        name: what stands for `log_likelihood` in the names of the metrics, where a bound on it is what is known.
    """

    chains: int
    temperatures: int
    enumerate_states: bool | None = None
    name: str = LOG_LIKELIHOOD

    def check(self, visible: int, hidden: int) -> None:
        """Refuses more chains than memory holds."""
        refuse_chains("ais_chains", self.chains, visible + hidden)

    def measure(self, rbm: RBM, samples: Tensor, unnormalised: float, generator: torch.Generator) -> dict[str, float]:
        """The metrics.

        Args:
            rbm: the machine whose log Z is wanted.
            samples: states of its visible units (n, visible), zeros and ones, as like the machine's as can be had at
                once, training images for instance: their rates are those of a base, and where the hidden units are
                many, chains run from them to the samples that others come down from.
            unnormalised: the mean of log p*(v) = log p(v) + log Z, or of a bound on it, over the test images.
            generator: of the chains.
        """
        states = EnumeratedStates(rbm) if self._enumerates(rbm) else None
        exact = self._exact(states, unnormalised) if states else {}
        if not self.chains:
            return exact
        base = base_of_images(rbm, samples)
        self._announce(rbm, base, _BURN_IN if states else 2 * _BURN_IN)

        def estimates() -> tuple[Estimate, Estimate, Estimate]:
            machine = states.sample(self.chains, generator) if states else self._burnt_in(rbm, samples, generator)
            noise = base_from_noise(rbm, _BURN_IN, self.chains, generator)
            return (
                annealed(rbm, base, self._betas(), self.chains, generator),
                annealed(rbm, noise, self._betas(), self.chains, generator),
                annealed_back(rbm, base, self._betas(), machine, generator),
            )

        found, seconds = timed(estimates, base.visible_bias.device)
        metrics = self._metrics(unnormalised, *found, log_z_of_quiet_states(rbm))
        return {**metrics, **exact, LIKELIHOOD_SECONDS: seconds}

    def _burnt_in(self, rbm: RBM, samples: Tensor, generator: torch.Generator) -> Tensor:
        """What becomes of as many samples as chains by Gibbs steps."""
        start = samples[torch.arange(self.chains, device=samples.device) % len(samples)]
        return run_chains(rbm, start, _BURN_IN, generator)

    def _enumerates(self, rbm: RBM) -> bool:
        """Whether all states of the hidden units are gone through."""
        small = len(rbm.hidden_bias) <= MOST_ENUMERATED
        return small if self.enumerate_states is None else self.enumerate_states

    def _exact(self, states: EnumeratedStates, unnormalised: float) -> dict[str, float]:
        """What is known exactly of a small machine."""
        log_z = states.log_z
        return {"test/log_partition_function_exact": log_z, f"test/{self.name}_exact": unnormalised - log_z}

    def _metrics(
        self, unnormalised: float, images: Estimate, noise: Estimate, down: Estimate, quiet: float
    ) -> dict[str, float]:
        """The estimate and its bracket, from the mean of log p* over the images; quiet is part of log Z for certain."""
        up = max(images, noise, key=lambda estimate: estimate.least)
        log_z, least, most = max(up.log_z, quiet), max(up.least, quiet), down.log_z + down.margin
        metrics = {
            f"test/{self.name}": unnormalised - log_z,
            f"test/{self.name}_upper": unnormalised - least,
            "test/log_partition_function": log_z,
            "test/log_partition_function_from_images": images.log_z,
            "test/log_partition_function_from_noise": noise.log_z,
            "test/log_partition_function_reverse": down.log_z,
            "test/log_partition_function_least": quiet,
        }
        if quiet < up.log_z + up.margin:
            metrics[f"test/{self.name}_error"] = up.error
        if most < least:
            if quiet == least:
                told = "states with one active unit at most have"
            else:
                told = f"chains that go up from {'where noise ends' if up is noise else 'rates of images'} find"
            more, less = f"{told} log Z {log_z:.1f}", f"{down.log_z:.1f}"
            _log.warning("test/%s_lower is left out: %s, chains that come down find less, %s", self.name, more, less)
            return metrics
        return {**metrics, f"test/{self.name}_lower": unnormalised - max(most, log_z, images.log_z, noise.log_z)}

    def _betas(self) -> Tensor:
        """The inverse temperatures."""
        share = self.temperatures / sum(steps for _, steps in _STAGES)
        return schedule([(end, max(1, round(steps * share))) for end, steps in _STAGES])

    def _announce(self, rbm: RBM, base: Base, gibbs_steps: int) -> None:
        """Says how long it will take with so many steps beside, by the first temperatures."""
        betas, generator = torch.linspace(0, 1, _TIMED + 1), torch.Generator(base.visible_bias.device)
        _, seconds = timed(
            lambda: annealed(rbm, base, betas, self.chains, generator), base.visible_bias.device, as_waited_for=True
        )
        seconds *= (3 * self.temperatures + gibbs_steps) / _TIMED
        ways = f"{self.temperatures} temperatures, twice up and once down"
        announce(f"log-likelihood: {self.chains} chains, {ways}, {seconds:.0f} s")


def summaries(name: str = LOG_LIKELIHOOD) -> tuple[str, ...]:
    """The names of the metrics."""
    own = (name, *(f"{name}_{part}" for part in ("error", "lower", "upper", "exact")))
    log_z = tuple(
        f"log_partition_function{way}" for way in ("", "_from_images", "_from_noise", "_reverse", "_least", "_exact")
    )
    return (*(f"test/{each}" for each in (*own, *log_z)), LIKELIHOOD_SECONDS)


def binary_images(data: MNISTData, name: str) -> Tensor:
    """Images of zeros and ones (n, 784), of `data.train` for instance, drawn once where these have grey levels."""
    batch = getattr(data, name)
    how = "dynamic" if data.binarization == "none" else data.binarization
    return data.binarized(name, batch, how)[0].flatten(1)
