"""Digits by a restricted Boltzmann machine, with the likelihood that it gives them."""

from collections.abc import Iterator
from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import mse_loss

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import rbm_examination
from lit_anndl.exercises.generative.boltzmann_exercise import BoltzmannExercise, as_images, refuse_settings
from lit_anndl.exercises.generative.inpainting_results import Region
from lit_anndl.exercises.generative.likelihood import Likelihood
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.line_search import refuse_line_search
from lit_anndl.modules.schedules import with_schedule
from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import Statistics, leave_gradient, restart_chains, run_from_hidden
from lit_anndl.nets.pseudo_likelihood import exact, one_bit
from lit_anndl.plots.learning import curves
from lit_anndl.quality import sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History

_MEASURED = 10
"""Of so many batches one is reconstructed: it costs a fifth of an update, which does not need it."""
VALIDATED = 500
"""Of so many validation images all pixels are flipped: of all it would take longer than an epoch of training."""


class DigitRBM(BoltzmannExercise):
    """A Bernoulli RBM of 784 pixels, trained by contrastive divergence with gradients that are written out.

    Metrics: `train/reconstruction`, the mean squared error per pixel of what comes back from the mean hidden units, of
    every tenth batch. Of validation and test images, nats per image: `pseudo_likelihood`, one pixel of each flipped, as
    scikit-learn monitors it, `exact_pseudo_likelihood`, over all pixels (in validation of the first 500 images), and
    `free_energy`; `train/free_energy` is that of as many training images after each epoch: where the two part, the
    machine learns its training images by heart.
    Of the test, on images of zeros and ones (drawn from the grey levels where the data are grey):
    `test/log_likelihood` and its bracket, see `likelihood`; of its chains `samples/…`, see `gibbs_chains`;
    `inpainting/accuracy_N_rows`, the digit classifier's accuracy where N rows were filled in, see `inpainting_results`.

    Args:
        optimizer: a class of torch.optim with its arguments; it descends along the gradient of -log p.
        hidden: hidden units.
        gibbs_steps: k, Gibbs steps of a chain per update.
        persistent: whether chains go on from update to update, rather than begin at the data.
        restart_probability: of a chain that goes on, to begin anew at noise before an update. Chains that only go on
            stay where digits are, and do not see what else becomes probable. Source: replay buffers of Du & Mordatch,
            Implicit Generation and Modeling with Energy Based Models, NeurIPS 2019.
        centred: whether gradients are those of centred units.
        initial_scale: standard deviation of the initial weights.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        ais_chains: chains of annealed importance sampling; 0 for no likelihood.
        ais_temperatures: how many there are between the base rates and the machine.
        enumerate_states: whether log Z is summed over all states of the hidden units, too; null where they are few.
        sampling_steps: after how many Gibbs steps chains are looked at; ten times as many follow for how long they
            remember.
        sampling_chains: how many there are, as many as test images at most; 0 for none.
        quality_samples: samples, each by 1000 Gibbs steps from noise, whose quality is measured; 0 for none.
        inpainting_steps: Gibbs steps that fill in hidden rows; 0 for none.
        inpainting_images: test images whose rows are hidden.
        region: rows [first, last) that the figure of in-painting hides.

    Raises:
        InputError: a region that is none; more hidden units than can be enumerated; no steps to sample after; a
            probability to restart chains that do not go on.
    """

    net: RBM
    chain_states: Tensor

    def __init__(
        self,
        optimizer: OptimizerCallable,
        hidden: PositiveInt = 100,
        gibbs_steps: PositiveInt = 1,
        persistent: bool = False,
        restart_probability: ClosedUnitInterval = 0.0,
        centred: bool = False,
        initial_scale: PositiveFloat = 0.01,
        lr_scheduler: LRSchedulerCallable | None = None,
        ais_chains: NonNegativeInt = 100,
        ais_temperatures: PositiveInt = 14_500,
        enumerate_states: bool | None = None,
        sampling_steps: list[PositiveInt] = [1, 10, 50, 100, 200, 500],  # noqa: B006  # jsonargparse shows it
        sampling_chains: NonNegativeInt = 500,
        quality_samples: NonNegativeInt = 0,
        inpainting_steps: NonNegativeInt = 50,
        inpainting_images: PositiveInt = 500,
        region: list[NonNegativeInt] = [4, 10],  # noqa: B006  # jsonargparse shows it
    ) -> None:
        super().__init__(int(quality_samples))
        if len(region) != 2 or not region[0] < region[1] <= SIDE:
            raise InputError(f"model.region {region} was given, expected [first, last] with first < last ≤ {SIDE}")
        refuse_settings(sampling_steps, enumerate_states, hidden)
        if restart_probability and not persistent:
            raise InputError(
                f"model.restart_probability {restart_probability} was given with chains that begin at the data, "
                "expected --model.persistent true"
            )
        self.net = RBM(SIDE**2, int(hidden), float(initial_scale))
        self.make_optimizer, self.make_scheduler = optimizer, lr_scheduler
        self.gibbs_steps, self.persistent, self.centred = int(gibbs_steps), persistent, centred
        self.restart_probability = float(restart_probability)
        self.likelihood = Likelihood(int(ais_chains), int(ais_temperatures), enumerate_states)
        self.examination = rbm_examination.Examination(
            self.likelihood,
            list(map(int, sampling_steps)),
            int(sampling_chains),
            int(inpainting_steps),
            int(inpainting_images),
            Region(*map(int, region)),
        )
        self.register_buffer("chain_states", torch.zeros(0, int(hidden)))

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Reconstruction in training; pseudo-likelihoods and free energies."""
        monitored = ("pseudo_likelihood", "exact_pseudo_likelihood", "free_energy")
        evaluated = tuple(f"{stage}/{name}" for stage in ("val", "test") for name in monitored)
        return ("train/reconstruction", "train/free_energy", *evaluated)

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """Likelihood, and what chains end in."""
        return (*rbm_examination.SUMMARIES, *sample_quality.SUMMARIES)

    def build(self, data: MNISTData) -> None:
        """Begins the chains that go on, at noise."""
        super().build(data)
        if self.persistent:
            half = torch.full((int(data.batch_size), len(self.net.hidden_bias)), 0.5)
            self.chain_states = draw(half, data.stream("persistent chains"))

    def restricted(self) -> RBM:
        """The machine itself."""
        return self.net

    def examine(self, data: MNISTData) -> Findings:
        """Likelihood, chains, filled-in images, filters."""
        return rbm_examination.examine(self.net, data, self.examination)

    def make_optimizers(self) -> Any:
        """The optimizer, with the schedule of its learning rate if there is one."""
        optimizer = self.make_optimizer(self.net.parameters())
        refuse_line_search(optimizer, "model.optimizer", "for want of a loss")
        return with_schedule(optimizer, self.make_scheduler)

    @torch.no_grad()
    def train_batch(self, batch: Batch) -> Metrics:
        """One update, by the statistics of the data and of chains that have run k Gibbs steps."""
        with torch.autocast(self.device.type, enabled=False):  # gradients are as precise as the weights
            measured = self._leave_gradient(batch[0].flatten(1))  # (B, 1, 28, 28) → (B, 784)
        self.clip(self.own_optimizers)
        self.take_step(self.own_optimizers)
        return measured

    def _leave_gradient(self, v: Tensor) -> Metrics:
        """Leaves the gradient in the parameters; of some batches the reconstruction is measured."""
        data = Statistics(v, self.net.hidden_probability(v))
        measured = {} if len(self.epoch_means.batches) % _MEASURED else {"reconstruction": self._reconstruction(data)}
        chains = self.chain_states[: len(v)]
        h = restart_chains(chains, self.restart_probability) if self.persistent else draw(data.hidden)
        model = run_from_hidden(self.net, h, self.gibbs_steps)
        if self.persistent:
            chains.copy_(draw(model.hidden))
        leave_gradient(self.net, data, model, self.centred)
        return measured

    def _reconstruction(self, data: Statistics) -> Tensor:
        """The mean squared error of what comes back from the mean hidden units."""
        return mse_loss(self.net.visible_probability(data.hidden), data.visible)

    def on_evaluation_start(self, stage: str) -> None:
        """Begins the draws of flipped pixels anew."""
        self.flips, self.is_exact_known = stream(self.seed, f"flipped pixels of {stage}"), False

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """Pseudo-likelihoods and free energy; the exact one costs more than training, and is left to few images."""
        v = batch[0].flatten(1)
        pixels = torch.randint(v.shape[1], (len(v),), generator=self.flips).to(v.device)
        flipped = one_bit(self.net, v, pixels)
        metrics = {"pseudo_likelihood": flipped.mean(), "free_energy": self.net.free_energy(v).mean()}
        if stage == "test":
            metrics["exact_pseudo_likelihood"] = exact(self.net, v).mean()
        elif not self.is_exact_known:
            metrics["exact_pseudo_likelihood"] = exact(self.net, v[:VALIDATED]).mean()
            self.is_exact_known = True
        return metrics

    def on_train_epoch_end(self) -> None:
        """Adds the free energy of the watched training images to what the epoch has measured."""
        with torch.no_grad():
            self.epoch_means.append({"free_energy": self.net.free_energy(self.watched).mean()})
        super().on_train_epoch_end()

    def flops_per_step(self, batch: Batch) -> int:
        """The products with W of an update: of the data one, of a Gibbs step two, of the gradient two."""
        return 2 * len(batch[0]) * self.net.weight.numel() * (3 + 2 * self.gibbs_steps)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Makes room for as many chains as were saved."""
        self.chain_states = torch.zeros_like(checkpoint["state_dict"]["chain_states"])
        super().on_load_checkpoint(checkpoint)

    # What can be done with it

    def encode(self, images: Tensor) -> Tensor:
        """p(h = 1 | v): (B, 1, 28, 28) → (B, hidden)."""
        return self.net.hidden_probability(images.flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        """p(v = 1 | h): (B, hidden) → (B, 1, 28, 28)."""
        return as_images(self.net.visible_probability(codes))

    def forward(self, images: Tensor) -> Tensor:
        """Reconstructions from the mean hidden units."""
        return self.decode(self.encode(images))

    # What can be seen of it

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Curves, and what is found of the tested machine."""
        yield "reconstruction", curves(history, ["train/reconstruction"], "mean squared error per pixel")
        names = ["val/pseudo_likelihood", "val/exact_pseudo_likelihood"]
        if names[0] in history:
            yield "pseudo_likelihood", curves(history, names, "log-pseudo-likelihood [nats per image]")
        yield "free_energy", curves(history, ["train/free_energy", "val/free_energy"], "free energy [nats]")
        yield from self.findings(data).figures.items()
