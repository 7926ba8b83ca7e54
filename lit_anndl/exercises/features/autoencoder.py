"""Digits through a code of a few units, beside principal components."""

from collections.abc import Iterator
from copy import deepcopy
from math import log10

import torch
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn.functional import mse_loss

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.encoder_decoder import Autoencoder, CodeActivation
from lit_anndl.nets.mlp import Activation
from lit_anndl.plots.images import filters, image_rows
from lit_anndl.plots.latent import planes
from lit_anndl.plots.learning import curves
from lit_anndl.quality import latent_space, sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table

SHOWN = 10
"""Test images in the figure of reconstructions."""
_FILTERS = 64


class DigitAutoencoder(GradientExercise[MNISTData]):
    """Images squeezed through a code and reconstructed, by least squares per pixel.

    Metrics: `train/mse`, `val/mse`, `test/mse`, mean squared errors per pixel; in training before each step. Of the
    test: `test/psnr` = -10 log₁₀ `test/mse`, the ratio of the peak signal, 1, to the noise, in dB. Of the data:
    `pca/mse`, the test error of as many principal components of the same training images, clipped to [0, 1]: of all
    linear codes the one with the least error of training. The table `classes` has the error of each class of images.
    Where asked for, of the code `latent/…`, see `latent_space`, and of samples from a Gaussian fitted to the training
    images' codes `quality/…`, see `sample_quality`.

    Args:
        optimizer: a class of torch.optim with its arguments.
        code: units of the code.
        hidden: units in each hidden layer of the encoder, [1000, 500, 250]; the decoder mirrors them.
        activation: what hidden units apply.
        code_activation: what the code's units apply.
        glorot_gain: gain of Glorot's uniform initialization, with biases 0 (1 for tanh, which it was derived for); null
            for torch's own, whose weights are so small that deep nets take long to begin.
        tsne_images: test images whose codes, of more than two units, are laid out in the plane by t-SNE (van der
            Maaten & Hinton, JMLR 9, 2008); 0 for none.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        quality_samples: samples whose quality is measured; 0 for none.

    Raises:
        InputError: there are fewer training images than units of the code, so no principal components.
    """

    metric_names = ("mse",)
    net: Autoencoder

    def __init__(
        self,
        optimizer: OptimizerCallable,
        code: PositiveInt = 32,
        hidden: list[PositiveInt] = [],  # noqa: B006  # jsonargparse shows it
        activation: Activation = "relu",
        code_activation: CodeActivation = "relu",
        glorot_gain: PositiveFloat | None = None,
        tsne_images: NonNegativeInt = 1000,
        lr_scheduler: LRSchedulerCallable | None = None,
        quality_samples: NonNegativeInt = 0,
    ) -> None:
        net = Autoencoder(SIDE**2, code, hidden, activation, code_activation, glorot_gain)
        super().__init__(optimizer, net, lr_scheduler=lr_scheduler)
        self.code = code
        self.tsne_images = tsne_images
        self.quality_samples = int(quality_samples)

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The error of principal components, ours in dB, the code and samples."""
        return ("pca/mse", "test/psnr", *latent_space.OF_AUTOENCODERS)

    def check(self, data: MNISTData) -> None:
        """Refuses a code that principal components cannot be compared with, and too few samples."""
        sample_quality.check(self.quality_samples, data)
        most = min(len(data.train[0]), SIDE**2)
        if self.code > most:
            raise InputError(f"model.code {self.code} was given, expected {most} at most: as many pixels or images")

    def encode(self, images: Tensor) -> Tensor:
        """The codes of images: (B, 1, 28, 28) → (B, code)."""
        return self.net.encode(images.flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        """Images in [0, 1] from codes: (B, code) → (B, 1, 28, 28)."""
        images: Tensor = self.net.decode(codes).unflatten(1, (1, SIDE, SIDE))
        return images

    def forward(self, images: Tensor) -> Tensor:
        """The reconstructions."""
        reconstructions: Tensor = self.decode(self.encode(images))
        return reconstructions

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """The mean squared error per pixel."""
        return {"mse": mse_loss(outputs, batch[0])}

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """The test error of principal components, ours in dB, the code and samples."""
        own = float(mse_loss(torch.cat(self.test_outputs), data.test[0]))
        psnr = {"test/psnr": -10 * log10(own)} if own else {}  # beyond all bounds where nothing is lost
        return {"pca/mse": float(mse_loss(self.pca(data), data.test[0])), **psnr, **self.findings(data).summary}

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; the errors per class; the samples' quality."""
        yield from super().tables(data)
        yield from self.findings(data).tables.items()
        images, labels = data.test
        outputs = {"mse": torch.cat(self.test_outputs), "pca mse": self.pca(data)}
        errors = {name: (each - images).square().mean(dim=(1, 2, 3)) for name, each in outputs.items()}
        classes = [(label, labels == label) for label in labels.unique().tolist()]
        yield (
            "classes",
            {
                "class": [label for label, _ in classes],
                "images": [int(own.sum()) for _, own in classes],
                **{name: [float(each[own].mean()) for _, own in classes] for name, each in errors.items()},
            },
        )

    @examined_once
    def pca(self, data: MNISTData) -> Tensor:
        """The test images from as many principal components as the code has units."""
        train, test = (images.flatten(1).numpy() for images in (data.train_as_seen()[0], data.test[0]))
        pca = PCA(self.code, svd_solver="covariance_eigh" if len(train) > SIDE**2 else "full").fit(train)
        outputs = torch.from_numpy(pca.inverse_transform(pca.transform(test)))
        return outputs.clamp(0, 1).reshape(-1, 1, SIDE, SIDE)

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, reconstructions, weights, and the codes in the plane."""
        yield "curves", curves(history, ["train/mse", "val/mse"], "mean squared error per pixel", log=True)
        yield "reconstructions", self.reconstructions(data)
        yield from self.findings(data).figures.items()
        first, *_, last = (parameter.detach() for parameter in self.net.parameters() if parameter.dim() == 2)
        for name, weights in (("encoder", first), ("decoder", last.T)):
            images = weights[:_FILTERS].cpu().float().reshape(-1, 1, SIDE, SIDE)
            yield f"weights_{name}", filters(images, f"{name}: weights of {len(images)} of {len(weights)} units")
        codes = {"codes of test images": self.test_codes(data).float().numpy()}
        for figure in planes(codes, data.test[1].numpy(), self.tsne_images):
            yield "code_map", figure

    def reconstructions(self, data: MNISTData) -> Figure:
        """Some test images, what comes back through the code, and through principal components."""
        rows = {
            "original": data.test[0],
            f"code of {self.code}": torch.cat(self.test_outputs),
            f"PCA, {self.code}": self.pca(data),
        }
        title = "test images, and what comes back through the code and through principal components"
        return image_rows({name: images[:SHOWN, 0].numpy() for name, images in rows.items()}, title)

    @torch.no_grad()
    def test_codes(self, data: MNISTData) -> Tensor:
        """The codes of the test images, on the CPU."""
        like = next(self.parameters())
        return in_batches(lambda images: self.encode(images.to(like)).cpu(), data.test[0])

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of the code and of samples."""
        net = deepcopy(self.net).double()
        space = latent_space.LatentSpace(
            lambda images: net.encode(images.flatten(1)),
            lambda codes: net.decode(codes).unflatten(1, (1, SIDE, SIDE)),
        )
        return latent_space.examine_autoencoder(space, data, self.quality_samples, self.device)
