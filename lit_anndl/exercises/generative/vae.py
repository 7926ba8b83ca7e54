"""Digits by a variational autoencoder, or an importance-weighted one."""

from collections.abc import Iterator
from typing import Any

import torch
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import latent_bounds, vae_examination
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.modules.layer_table import parameters_per_layer
from lit_anndl.modules.line_search import refuse_line_search
from lit_anndl.modules.schedules import with_schedule
from lit_anndl.nets.importance_bound import Terms, terms
from lit_anndl.nets.likelihoods import LikelihoodName, make_likelihood
from lit_anndl.nets.mlp import Activation
from lit_anndl.nets.variational import VAE
from lit_anndl.plots.learning import curves
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.latent_prior import draw_images
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class DigitVAE(Exercise[MNISTData]):
    """A VAE of 784 pixels, 784 - hidden - latent - hidden - 784, with a standard normal prior.

    Metrics, nats per image, in training, validation and test: `reconstruction`, -log p(x | z) at samples z of q(z | x);
    `kl`, KL(q(z | x) ‖ p(z)), exact; and `loss`, what training minimises: their weighted sum, the mean over samples,
    or, if `importance_weighted`, the negative of the bound of several samples together. What is compared with others
    has the name of its targets: `test/elbo`, minus reconstruction and divergence, and `test/nll`, the
    importance-weighted bound on -log p(x) with its error, of binary images drawn anew in each epoch; for others see
    `latent_bounds`. `test/active_units` are latent dimensions that vary with the image. Of samples and of ways between
    them `quality/…` and `latent/…`, see `latent_prior`; where images are grey more of the latter, see `latent_space`.

    Args:
        optimizer: a class of torch.optim with its arguments.
        latent: dimensions of the code z.
        hidden: units in each hidden layer of the encoder; the decoder mirrors them.
        activation: what hidden units apply.
        likelihood: of pixels: bernoulli, for zeros and ones, or grey levels taken for probabilities; gaussian, a
            squared error, for grey levels; categorical, over the 256 grey levels.
        deviation: standard deviation of the gaussian one; null to learn it.
        samples: k, samples of z per image and step.
        importance_weighted: whether k of them make the importance-weighted bound; else the mean of k ELBOs.
        kl_weight: β, what the divergence counts in the loss.
        kl_warm_up: epochs in which the weight rises to it from 0; 0 for none.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        nll_samples: of the bound on -log p(x); 0 for none.
        nll_images: test images that have so many samples, which give the mean over all; null for as many as take a few
            minutes on one core, none where these would be fewer than 100.
        quality_samples: whose quality is measured, and ways between them; 0 for none.

    Raises:
        InputError: pixels that the likelihood does not fit; a batch larger than the data.
    """

    net: VAE

    def __init__(
        self,
        optimizer: OptimizerCallable,
        latent: PositiveInt = 300,
        hidden: list[PositiveInt] = [1024],  # noqa: B006  # jsonargparse shows it
        activation: Activation = "relu",
        likelihood: LikelihoodName = "bernoulli",
        deviation: PositiveFloat | None = None,
        samples: PositiveInt = 1,
        importance_weighted: bool = True,
        kl_weight: NonNegativeFloat = 1.0,
        kl_warm_up: NonNegativeInt = 0,
        lr_scheduler: LRSchedulerCallable | None = None,
        nll_samples: NonNegativeInt = 5000,
        nll_images: PositiveInt | None = None,
        quality_samples: NonNegativeInt = 10_000,
    ) -> None:
        super().__init__()
        if deviation is not None and likelihood != "gaussian":
            raise InputError(
                f"model.deviation {float(deviation):g} was given with likelihood {likelihood}, expected gaussian"
            )
        density = make_likelihood(likelihood, None if deviation is None else float(deviation))
        self.net = VAE(SIDE**2, int(latent), list(map(int, hidden)), density, activation)
        self.likelihood: LikelihoodName = likelihood
        self.make_optimizer, self.make_scheduler = optimizer, lr_scheduler
        self.samples, self.importance_weighted = int(samples), importance_weighted
        self.kl_weight, self.kl_warm_up = float(kl_weight), int(kl_warm_up)
        self.examination = vae_examination.Examination(
            latent_bounds.BoundOnNLL(int(nll_samples), None if nll_images is None else int(nll_images)),
            int(quality_samples),
        )

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """The loss and its parts."""
        return tuple(
            f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("loss", "reconstruction", "kl")
        )

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """Bounds on the likelihood, active units, the samples' quality."""
        return vae_examination.SUMMARIES

    def check(self, data: MNISTData) -> None:
        """Refuses data that do not fit."""
        self._scale(data)
        self.examination.check(data)
        images = data.train[0]
        if not 0 <= float(images.min()) <= float(images.max()) <= 1:
            raise InputError("data: pixels from 0 to 1 are expected")
        data.refuse_larger_batches()

    def initialize(self, data: MNISTData) -> None:
        """Lets the first images that are decoded be the mean of the training images, but for categorical pixels."""
        self.net.start_from_means(data.train[0].flatten(1))

    def make_optimizers(self) -> Any:
        """The optimizer, with the schedule of its learning rate if there is one."""
        optimizer = self.make_optimizer(self.net.parameters())
        refuse_line_search(optimizer, "model.optimizer", "for losses are drawn anew")
        return with_schedule(optimizer, self.make_scheduler)

    # What one batch does

    def train_batch(self, batch: Batch) -> Metrics:
        """One step down the loss."""
        parts = terms(self.net, batch[0].flatten(1), self.samples)  # (B, 1, 28, 28) → (B, 784)
        metrics = self._metrics(parts, self.kl_weight * self._share_of_warm_up())
        self.descend(self.own_optimizers, metrics["loss"])
        return metrics

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """The same, at the full weight of the divergence."""
        return self._metrics(terms(self.net, batch[0].flatten(1), self.samples, self.draws), self.kl_weight)

    def _metrics(self, parts: Terms, kl_weight: float) -> Metrics:
        weighs = self.samples > 1 and self.importance_weighted
        loss = parts.importance_loss(kl_weight) if weighs else parts.elbo_loss(kl_weight)
        return {"loss": loss.mean(), "reconstruction": parts.reconstruction.mean(), "kl": parts.kl.mean()}

    def _share_of_warm_up(self) -> float:
        """How far the weight of the divergence has risen in this epoch."""
        return min(1.0, self.current_epoch / self.kl_warm_up) if self.kl_warm_up else 1.0

    def on_evaluation_start(self, stage: str) -> None:
        """Begins the draws of codes anew."""
        self.draws = self._stream(f"codes of {stage}")

    def _stream(self, purpose: str) -> torch.Generator:
        """On the device, a function of the seed."""
        data: MNISTData = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it
        return stream(data.seed, purpose, self.device)

    def flops_per_step(self, batch: Batch) -> int:
        """The products of encoder and decoder: those of the forward pass three times."""
        encoder, decoder = (
            sum(p.numel() for p in part.parameters() if p.dim() == 2) for part in (self.net.encoder, self.net.decoder)
        )
        return 6 * len(batch[0]) * (encoder + self.samples * decoder)

    # What can be done with it

    @torch.no_grad()
    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Images in [0, 1] (number, 1, 28, 28): E[x | z] of codes from the prior."""
        like = next(self.parameters())
        return draw_images(lambda z: self.decode(z.to(like)), number, self.net.latent, generator)

    def encode(self, images: Tensor) -> Tensor:
        """The mean of q(z | x): (B, 1, 28, 28) → (B, latent)."""
        return self.net.encode(images.flatten(1)).mean

    def decode(self, codes: Tensor) -> Tensor:
        """E[x | z], in [0, 1]: (B, latent) → (B, 1, 28, 28)."""
        return vae_examination.decode(self.net, codes)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstructions from the codes' means."""
        return self.decode(self.encode(images))

    # What can be seen of it

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """Bounds on the likelihood, active units, the samples' quality."""
        tested = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        elbo = -tested["test/reconstruction"] - tested["test/kl"]
        scale = self._scale(data)
        return {f"test/{scale.name('elbo')}": elbo, **self.findings(data).summary}

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; the latent units; the samples' quality."""
        yield "parameters", parameters_per_layer(self.net)
        yield from self.findings(data).tables.items()

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, and what is found of the tested model."""
        yield "loss", curves(history, ["train/loss", "val/loss"], "loss [nats per image]")
        yield "reconstruction", curves(history, ["train/reconstruction", "val/reconstruction"], "nats per image")
        yield "kl", curves(history, ["train/kl", "val/kl"], "KL divergence [nats per image]")
        yield from self.findings(data).figures.items()

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of the tested model."""
        return vae_examination.examine(self.net, data, self.examination, self._scale(data))

    def _scale(self, data: MNISTData) -> latent_bounds.Scale:
        """What its log-likelihoods are of."""
        return latent_bounds.scale(self.likelihood, data.binarization)
