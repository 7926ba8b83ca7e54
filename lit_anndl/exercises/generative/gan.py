"""Digits by generative adversarial networks, whatever the nets and the loss."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.utils.flop_counter import FlopCounterMode

from lit_anndl.data.batches import Batch
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import gan_figures, gan_settings
from lit_anndl.exercises.generative.gan_nets import AdversarialNets
from lit_anndl.exercises.generative.gan_settings import Balance
from lit_anndl.exercises.generative.latent_model import LatentModel
from lit_anndl.exercises.generative.vanishing_gradient import VanishingGradient
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.layer_table import parameters_per_layer
from lit_anndl.nets.adversarial_game import AdversarialGame
from lit_anndl.nets.adversarial_losses import AdversarialLossName, clip_weights
from lit_anndl.quality import latent_prior
from lit_anndl.quality.latent_prior import Decoder
from lit_anndl.runtime.records import History, Table


class AdversarialNetworks(LatentModel):
    """A generator of images G(z), z ~ N(0, 1), against a discriminator D that tells them from real ones.

    Each batch of real images is one step of the discriminator, beside as many generated images. Every
    `discriminator_steps` of them a step of the generator follows, on the same generated images, scored by the
    discriminator after its step (Goodfellow et al. 2014, Algorithm 1, but for the second draw of z).

    Metrics, in training before each step, in validation and test by `train/`, `val/`, `test/`: `discriminator_loss`,
    ½ (BCE(D(x), 1) + BCE(D(G(z)), 0)) in nats, or of a critic E f(G(z)) - E f(x); `generator_loss`, see
    `nets.adversarial_losses`; `discriminator_accuracy_real` and `discriminator_accuracy_fake`, the shares of real and
    of generated images that are taken for such (of a critic by the middle between its two means). Of training alone:
    `train/generator_gradient_norm`, ‖∇L_G‖₂ by the generator's parameters, the mean over its steps, and with a gradient
    penalty `train/gradient_penalty`. None of them says how good samples are. `val/fid` does, the Fréchet distance
    between samples and validation images, see `sample_distance`. Of the end: `quality/…` and `latent/…`, see
    `latent_prior`; `train/generator_loss_epoch_10` and the like, the means of some epochs counted from 1; with a head
    start `head_start/…`, see `vanishing_gradient`. `parameters` counts both nets.

    `weight_averaging.decay` is the moving average of the generator's weights, by which samples are drawn in validation
    and test; the discriminator's are averaged alike, and the steps of both are counted, d per optimizer step.

    Args:
        nets: makes the two nets: FullyConnectedNets or ConvolutionalNets of `lit_anndl.exercises.generative.gan_nets`,
            with their arguments.
        generator_optimizer: a class of torch.optim with its arguments, for the generator.
        discriminator_optimizer: a class of torch.optim with its arguments, for the discriminator.
        latent: values of z.
        loss: non_saturating, minimax, or wasserstein.
        weight_clipping: bound on each parameter of a Wasserstein critic, 0.01 in the paper; null for none.
        gradient_penalty: weight of E (‖∇D(x̂)‖₂ - 1)² in the discriminator's loss, 10 in the paper; 0 for none.
        discriminator_steps: steps of the discriminator for each one of the generator.
        discriminator_head_start: steps of the discriminator before the two take turns.
        course_pixels: whether the discriminator is given real images in [0, 1], as in the course, though the
            generator's lie in (-1, 1); otherwise they are scaled to [-1, 1].
        snapshot_epochs: every how many epochs one fixed set of latents is drawn; 0 for never.
        fid_samples: how many `val/fid` is measured by.
        quality_samples: how many are compared with test images at the end; 0 for none.

    Raises:
        InputError: clipping with a loss that has no critic, a critic that nothing keeps from growing without bound, a
            penalty on the gradients of a discriminator with batch normalization, too few samples.
    """

    shares_gradients = False
    net: AdversarialGame

    def __init__(
        self,
        nets: AdversarialNets,
        generator_optimizer: OptimizerCallable,
        discriminator_optimizer: OptimizerCallable,
        latent: PositiveInt = 20,
        loss: AdversarialLossName = "non_saturating",
        weight_clipping: PositiveFloat | None = None,
        gradient_penalty: NonNegativeFloat = 0.0,
        discriminator_steps: PositiveInt = 1,
        discriminator_head_start: NonNegativeInt = 0,
        course_pixels: bool = False,
        snapshot_epochs: NonNegativeInt = 5,
        fid_samples: PositiveInt = 2000,
        quality_samples: NonNegativeInt = 10_000,
    ) -> None:
        super().__init__(int(latent), int(snapshot_epochs), int(fid_samples), int(quality_samples))
        gan_settings.check_constraints(loss, weight_clipping, float(gradient_penalty))
        generator, discriminator = nets.generator(self.latent), nets.discriminator(self.latent)
        gan_settings.check_penalised(discriminator, float(gradient_penalty))
        self.net = AdversarialGame(generator, discriminator, loss, float(gradient_penalty))
        self.make_generator_optimizer, self.make_discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.weight_clipping, self.course_pixels = weight_clipping and float(weight_clipping), course_pixels
        self.balance = Balance(int(discriminator_steps), int(discriminator_head_start))
        self.vanishing = VanishingGradient(loss, self.balance.head_start)
        self.batches_seen = 0

    # What it is

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Losses and accuracies in training, validation and test; gradients; the distance in validation."""
        return gan_settings.METRICS

    @classmethod
    def monitors(cls) -> tuple[str, ...]:
        """Those that are measured in every epoch that is no head start."""
        return tuple(name for name in super().monitors() if name != "train/gradient_penalty")

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """Losses of some epochs, gradients after the head start, the quality of samples."""
        return (*gan_settings.REPORTED, *VanishingGradient.SUMMARIES, *latent_prior.OF_GENERATORS)

    def check(self, data: MNISTData) -> None:
        """Refuses batches that there are none of, or that cannot be standardised."""
        super().check(data)
        gan_settings.check_last_batch(data, self.net)

    def make_optimizers(self) -> Any:
        """The discriminator's and the generator's."""
        made = {
            "discriminator": self.make_discriminator_optimizer(self.net.discriminator.parameters()),
            "generator": self.make_generator_optimizer(self.net.generator.parameters()),
        }
        gan_settings.check_optimizers(made)
        return list(made.values())

    def flops_per_step(self, batch: Batch) -> int:
        """Three times those of a forward pass for each net that learns, on real images and on generated ones."""
        real = batch[0]
        with torch.random.fork_rng(), torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.eval()
            self.net.judge(real, self.net(self._latents(len(real), real)))
        self.train()
        return int(3 * counter.get_total_flops())

    # How it is trained

    def train_batch(self, batch: Batch) -> Metrics:
        """A step of the discriminator, and one of the generator if it is its turn."""
        real = self._scaled(batch[0])
        is_generators_turn = self.balance.is_generators_turn(self.batches_seen)
        with torch.set_grad_enabled(is_generators_turn or self.vanishing.is_due(self.batches_seen)):
            fake = self.net(self._latents(len(real), real))
        self.vanishing.measure(self.batches_seen, fake, self.net)
        discriminator_optimizer, generator_optimizer = self.own_optimizers
        metrics = self._train_discriminator(discriminator_optimizer, real, fake.detach())
        if is_generators_turn:
            metrics |= self._train_generator(generator_optimizer, fake)
        self.batches_seen += 1
        return metrics

    def _train_discriminator(self, optimizer: Any, real: Tensor, fake: Tensor) -> Metrics:
        """A step of the discriminator."""
        metrics = self.net.judge(real, fake)
        del metrics["generator_loss"]  # which is measured when the generator steps
        loss = metrics["discriminator_loss"]
        if self.net.penalty:
            metrics["gradient_penalty"] = self.net.slope_penalty(real, fake)
            loss = loss + self.net.penalty * metrics["gradient_penalty"]
        self.descend(optimizer, loss)
        if self.weight_clipping:
            clip_weights(self.net.discriminator, self.weight_clipping)
        return metrics

    def _train_generator(self, optimizer: Any, fake: Tensor) -> Metrics:
        """A step of the generator; the discriminator's own gradients are not computed."""
        loss = self.net.generator_loss(fake)
        optimizer.zero_grad()
        parameters = list(self.net.generator.parameters())
        self.manual_backward(loss, inputs=parameters)
        norm = get_total_norm([each.grad for each in parameters if each.grad is not None]) / self.gradient_scale
        self.clip(optimizer)
        self.take_step(optimizer)
        return {"generator_loss": loss, "generator_gradient_norm": norm}

    # How it is evaluated

    def on_evaluation_start(self, stage: str) -> None:
        """Begins the latents anew."""
        self.latents = stream(self.seed, f"latents of {stage}")

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """Losses and accuracies on real images and as many generated ones."""
        real = self._scaled(batch[0])
        fake = self.net(torch.randn(len(real), self.latent, generator=self.latents).to(real))
        return self.net.judge(real, fake)

    # What is kept of its training

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds where it stands, and what was measured on the way."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["adversarial"] = {"batches_seen": self.batches_seen, "vanishing": self.vanishing.norms}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes it back."""
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["adversarial"]
        self.batches_seen, self.vanishing.norms = state["batches_seen"], dict(state["vanishing"])

    # What can be done with it

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images in [0, 1] from latents: (B, latent) → (B, 1, 28, 28)."""
        return self._as_images(self.net(latents.to(next(self.parameters()))))

    def precise_decoder(self) -> Decoder:
        """The same in double precision."""
        net = deepcopy(self.net).double().eval()
        return lambda latents: self._as_images(net(latents))

    def _as_images(self, outputs: Tensor) -> Tensor:
        """Pixels in [0, 1] of what the generator gives."""
        return outputs.clamp(0, 1) if self.course_pixels else (outputs + 1) / 2

    def _latents(self, number: int, like: Tensor) -> Tensor:
        """z for a batch, of another tensor's type and device, drawn from torch's own generator."""
        return torch.randn(number, self.latent, device=like.device, dtype=like.dtype)

    def _scaled(self, images: Tensor) -> Tensor:
        """Pixels as the discriminator is given them."""
        return images if self.course_pixels else images.mul(2).sub_(1)

    # What can be seen of it

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """Losses of some epochs, gradients after the head start, the quality of samples."""
        found = gan_settings.reported(history), self.vanishing.summary(), self.findings(data).summary
        return {name: value for each in found for name, value in each.items()}

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; gradients during the head start; the quality of samples."""
        yield "parameters", parameters_per_layer(self.net)
        yield from self.vanishing.tables().items()
        yield from self.findings(data).tables.items()

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Curves, samples over training, interpolations, and what is found of the samples."""
        yield from gan_figures.learning(history)
        for name, table in self.vanishing.tables().items():
            yield name, gan_figures.vanishing_gradient(table)
        if self.snapshots.taken:
            yield "samples_over_training", self.snapshots.figure()
        yield from gan_figures.latent_space(self.decode, self.latent, self.seed)
        yield from self.findings(data).figures.items()
