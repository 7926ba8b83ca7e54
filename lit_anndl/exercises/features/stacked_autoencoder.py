"""A deep classifier of digits, pretrained layer by layer without labels, then fine-tuned."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.features import fine_tuning_results
from lit_anndl.exercises.features.gradient_record import GradientRecord
from lit_anndl.exercises.features.greedy_phases import FINE_TUNING, Part, classify, greedy_phases, layer_phase
from lit_anndl.exercises.features.pca_svm import pca_svm_accuracy
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.modules.layer_table import parameters_per_layer
from lit_anndl.modules.phases import Phase, Phases
from lit_anndl.nets.encoder_decoder import StackedAutoencoder
from lit_anndl.nets.mlp import Activation
from lit_anndl.plots.learning import gradient_norms
from lit_anndl.quality import latent_space, sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class StackedDigitAutoencoder(Exercise[MNISTData]):
    """Greedy layer-wise pretraining, a classifier on the frozen code, then fine-tuning of everything, in one run.

    The phases follow each other by the epoch: `pretraining_epochs` for each layer, from the first to the code;
    `classifier_epochs`; `fine_tuning_epochs`. `trainer.max_epochs`, null by default, ends training earlier, or prolongs
    the last phase.

    Metrics: while a layer is pretrained `train/mse` and `val/mse`, per unit of what is reconstructed; afterwards
    `train/loss`, `val/loss` (mean cross-entropy, nats) and `train/accuracy`, `val/accuracy` (fraction); in training
    before each step. Of the end: `test/loss`, `test/accuracy`, and `before_fine_tuning/accuracy`, the test accuracy
    with the weights that fine-tuning began with (those that are trained, where others are averaged). Of the data:
    `pca_svm/accuracy`, the test accuracy of a support vector machine on principal components of the same training
    images. `parameters` counts encoder and classifier, no decoders. The table `gradient_norms` has, by epoch of
    fine-tuning, the norm of the loss's gradient by each layer's weights, the mean over the epoch's steps (bounded, if
    `trainer.gradient_clip_val` is set).

    Args:
        pretraining_optimizer: a class of torch.optim with its arguments, for a layer and its decoder.
        classifier_optimizer: for the classifier on the frozen code.
        optimizer: for fine-tuning.
        hidden: units in each hidden layer, the code's last.
        pretraining_epochs: for each layer; 0 for none.
        classifier_epochs: in which the layers stay as they are.
        fine_tuning_epochs: in which all layers and the classifier learn.
        activation: what hidden units apply.
        glorot_gain: gain of Glorot's uniform initialization, with biases 0 (4 is advised for sigmoids, whose slope is
            1/4); null for torch's own.
        tsne_images: test images whose codes, of more than two units, are laid out in the plane by t-SNE; 0 for none.
        svm_components: principal components that the support vector machine is given; 0 for none.
        quality_samples: samples from a Gaussian fitted to the codes before fine-tuning whose quality is measured
            (`quality/…`, and of the code `latent/…`); 0 for none.

    Raises:
        InputError: there are no hidden layers, or no epochs in which something learns to classify.
    """

    trains_in_parts = True
    net: StackedAutoencoder
    phases: Phases
    is_fine_tuned: Tensor

    def __init__(
        self,
        pretraining_optimizer: OptimizerCallable,
        classifier_optimizer: OptimizerCallable,
        optimizer: OptimizerCallable,
        hidden: list[PositiveInt] = [256, 64],  # noqa: B006  # jsonargparse shows it
        pretraining_epochs: NonNegativeInt = 20,
        classifier_epochs: NonNegativeInt = 10,
        fine_tuning_epochs: NonNegativeInt = 30,
        activation: Activation = "sigmoid",
        glorot_gain: PositiveFloat | None = None,
        tsne_images: NonNegativeInt = 1000,
        svm_components: NonNegativeInt = 50,
        quality_samples: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        if not hidden:
            raise InputError("model.hidden: [] was given, expected the units of one layer or more, such as [256,64]")
        if not classifier_epochs + fine_tuning_epochs:
            raise InputError(
                "model.classifier_epochs and model.fine_tuning_epochs: 0 were given for both, expected one or more in "
                "which to learn to classify"
            )
        self.net = net = StackedAutoencoder(SIDE**2, hidden, CLASSES, activation, glorot_gain)
        self.before = deepcopy(net.perceptron).requires_grad_(False)  # as fine-tuning began, once it has
        self.register_buffer("is_fine_tuned", torch.tensor(False))
        self.phases = greedy_phases(
            net,
            Part(pretraining_epochs, pretraining_optimizer),
            Part(classifier_epochs, classifier_optimizer),
            Part(fine_tuning_epochs, optimizer),
        )
        self.tsne_images = tsne_images
        self.svm_components = svm_components
        self.quality_samples = int(quality_samples)
        self.gradients = GradientRecord()

    # What it is

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """The reconstruction's while layers are pretrained, then the classification's."""
        return ("train/mse", "val/mse", *cls.monitors(), "test/loss", "test/accuracy")

    @classmethod
    def monitors(cls) -> tuple[str, ...]:
        """Those of the classification alone: no layer's reconstruction says which weights classify best."""
        return ("train/loss", "train/accuracy", "val/loss", "val/accuracy")

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """What there was before fine-tuning; a rival; the code and samples."""
        return ("before_fine_tuning/accuracy", "pca_svm/accuracy", *latent_space.OF_AUTOENCODERS)

    @classmethod
    def planned_epochs(cls, arguments: Mapping[str, Any]) -> int:
        """The sum over the phases."""
        pretraining = len(arguments["hidden"]) * arguments["pretraining_epochs"]
        return int(pretraining + arguments["classifier_epochs"] + arguments["fine_tuning_epochs"])

    def check(self, data: MNISTData) -> None:
        """Refuses more principal components than there can be, and too few samples."""
        sample_quality.check(self.quality_samples, data)
        if self.quality_samples and layer_phase(self.net.depth) not in self.phases.starts:
            raise InputError(
                f"model.quality_samples {self.quality_samples} was given, expected 0 without pretraining: samples are "
                "drawn by decoders, which learn in it"
            )
        most = min(len(data.train[0]), SIDE**2)
        if self.svm_components > most:
            raise InputError(f"model.svm_components {self.svm_components} was given, expected {most} at most")

    def flops_per_step(self, batch: Batch) -> int:
        """Three times those of the forward pass of the costliest phase: gradients cost as much again, twice."""
        counts = []
        for phase in self.phases.phases:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                phase.measure(batch)
            counts.append(counter.get_total_flops())
        return int(3 * max(counts))

    # What it computes

    def forward(self, images: Tensor) -> Tensor:
        """The classes' scores: (B, 1, 28, 28) → (B, 10)."""
        scores: Tensor = self.net(images)
        return scores

    def encode(self, images: Tensor) -> Tensor:
        """The codes of images: (B, 1, 28, 28) → (B, hidden[-1])."""
        return self.net.encode(images)

    # How it is trained

    @property
    def phase(self) -> Phase:
        """The phase of the epoch."""
        return self.phases.at(self.current_epoch)

    def make_optimizers(self) -> Any:
        """One for each phase."""
        return self.phases.make_optimizers()

    def on_fit_start(self) -> None:
        """Lets decoders learn."""
        self.net.decoders.requires_grad_(True)

    def on_fit_end(self) -> None:
        """Retires the decoders, which do not count among the parameters, trained just now or before."""
        self.net.decoders.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        """Moves on to the phase of the epoch; the weights that fine-tuning begins with are kept."""
        self.phase_optimizer = self.phases.enter(self)
        if self.phase.name == FINE_TUNING and self.phases.begins(self.current_epoch):
            self.before.load_state_dict(self.net.perceptron.state_dict())
            self.is_fine_tuned.fill_(True)

    def train_batch(self, batch: Batch) -> Metrics:
        """A step of the phase's optimizer."""
        phase = self.phase
        metrics = phase.measure(batch)
        self.descend(self.phase_optimizer, next(iter(metrics.values())))
        if phase.name == FINE_TUNING:
            self.gradients.append(self.net.perceptron)
        return metrics

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's means, and keeps those of the gradients' norms."""
        super().on_train_epoch_end()
        self.gradients.end_epoch()

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """What the phase measures; in the test the classification."""
        return self.phase.measure(batch) if stage == "val" else classify(self.net, batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the gradients' norms so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["gradient_norms"] = self.gradients.epochs

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes them back."""
        super().on_load_checkpoint(checkpoint)
        self.gradients.epochs = list(checkpoint["gradient_norms"])

    # What can be seen of it

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """The test accuracy that fine-tuning began with, that of a support vector machine; the code and samples."""
        before, *_ = fine_tuning_results.accuracies(self.nets(), data)["test"].values()
        rival = {"pca_svm/accuracy": pca_svm_accuracy(data, self.svm_components)} if self.svm_components else {}
        return {"before_fine_tuning/accuracy": before, **rival, **self.findings(data).summary}

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; the gradients' norms by epoch of fine-tuning and layer; the samples' quality."""
        yield "parameters", parameters_per_layer(self.net.perceptron)
        yield from self.findings(data).tables.items()
        if self.gradients.epochs:
            yield "gradient_norms", self.gradients.table(self.phases.starts[FINE_TUNING])

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves by phase, gradients, the first layer and the codes before and after fine-tuning."""
        starts = self.phases.starts
        yield from fine_tuning_results.learning_curves(history, starts)
        if self.gradients.epochs:
            yield "gradient_norms", gradient_norms(self.gradients.by_layer(), starts[FINE_TUNING])
        yield from fine_tuning_results.figures(self.nets(), data, self.tsne_images)
        yield from self.findings(data).figures.items()

    @property
    def is_pretrained(self) -> bool:
        """Whether every decoder has learnt, by now: the last layer's begins last."""
        begun = self.phases.starts.get(layer_phase(self.net.depth))
        return begun is not None and self.current_epoch > begun

    def nets(self) -> dict[str, nn.Sequential]:
        """The perceptron before and after fine-tuning; the only one there is, where nothing was fine-tuned."""
        if not self.is_fine_tuned:
            return {"without fine-tuning": self.net.perceptron}
        return {"before fine-tuning": self.before, "after fine-tuning": self.net.perceptron}

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of the pretrained code, where there is one, and of samples."""
        if not self.is_pretrained:
            return Findings()
        before, *_ = self.nets().values()
        space = fine_tuning_results.pretrained_space(before, self.net.decoders)
        found = latent_space.examine_autoencoder(space, data, self.quality_samples, self.device)
        figure = fine_tuning_results.reconstructions(space, data.test[0].to(self.device))
        return found.joined(Findings(figures={"reconstructions": figure}))
