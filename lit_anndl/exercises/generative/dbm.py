"""Digits by a deep Boltzmann machine: pretrained layer by layer, trained jointly, then a classifier."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import dbm_examination, dbm_figures, dbm_settings
from lit_anndl.exercises.generative.boltzmann_exercise import BoltzmannExercise, refuse_settings
from lit_anndl.exercises.generative.chain_memory import refuse_chains
from lit_anndl.exercises.generative.dbm_settings import CLASSIFIER, JOINT, LAYERS, Epochs
from lit_anndl.exercises.generative.likelihood import Likelihood
from lit_anndl.modules.classification import loss_and_accuracy
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.layer_table import parameters_per_layer
from lit_anndl.modules.phases import Phase, Phases
from lit_anndl.nets.binary_units import draw, log_odds
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.deep_boltzmann import DBM, LayerAlone, States
from lit_anndl.nets.deep_boltzmann_learning import DBMLearning
from lit_anndl.nets.mean_field_classifier import MeanFieldClassifier, MeanFieldInput
from lit_anndl.quality import sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.records import History, Table

_MEASURED = 10
"""Of so many batches one is reconstructed, which an update does not need."""


class DigitDBM(BoltzmannExercise):
    """A deep Boltzmann machine of two hidden layers, and a classifier that begins as its inference, in one run.

    The phases follow each other by the epoch: `pretraining_epochs` for each layer alone, by contrastive divergence, in
    which what comes from one side counts twice; `joint_epochs` of the whole machine, by mean-field inference of the
    images' hidden units and chains that go on from update to update; `classifier_epochs`, in which the machine stays as
    it is and a network that begins as its inference is fine-tuned on image and inferred means (Salakhutdinov & Hinton,
    AISTATS 2009). `trainer.max_epochs`, null by default, ends training earlier, or prolongs the last phase. Grey levels
    are probabilities of pixels: the machine sees them drawn anew, the classifier as they are.

    Metrics: while the machine learns `train/reconstruction` (of every tenth batch) and `val/reconstruction`, the mean
    squared error per unit of what is below the layer that learns, from the mean hidden units; jointly `val/free_energy`
    too, minus the bound on log p(v) + log Z, and `train/free_energy`, that of as many training images after the epoch;
    both of the test. Of the classifier `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`,
    `val/` and `test/`. Of the end: `test/log_likelihood_bound`, a variational bound on the mean log-likelihood of the
    test images, nats, by annealed importance sampling, with its bracket as explained in `likelihood`; of chains
    `samples/…`, see `gibbs_chains`. `parameters` counts machine and classifier.

    Args:
        pretraining_optimizer: a class of torch.optim with its arguments, for a layer alone.
        optimizer: for the whole machine; it descends along the gradient of -log p.
        classifier_optimizer: for the classifier.
        hidden: units of the two hidden layers.
        pretraining_epochs: for each layer; 0 for none.
        joint_epochs: of the whole machine; 0 for none.
        classifier_epochs: 0 for no classifier.
        anneal: whether learning rates fall to 0 within each phase, in equal steps by epochs.
        pretraining_gibbs_steps: k of contrastive divergence for a layer alone.
        gibbs_steps: of the chains, per update of the whole machine.
        chains: how many go on from update to update.
        mean_field_steps: updates of the means, per image and update, in training the machine and for the classifier.
        centred: whether the whole machine's gradients are those of centred units.
        initial_scale: standard deviation of the initial weights.
        initial_second_bias: where the biases of the second layer begin; below 0 few of its units are on.
        ais_chains: chains of annealed importance sampling; 0 for no bound.
        ais_temperatures: how many there are between the base rates and the machine.
        enumerate_states: whether log Z is summed over all states of the first layer, too; null where they are few.
        sampling_steps: after how many Gibbs steps chains are looked at; ten times as many follow for how long they
            remember.
        sampling_chains: how many there are, as many as test images at most; 0 for none.
        quality_samples: samples, each by 1000 Gibbs steps from noise, whose quality is measured; 0 for none.

    Raises:
        InputError: there are not two hidden layers, or no epochs, or no steps to sample after; more units of the first
            layer than can be enumerated; more chains than memory holds.
    """

    trains_in_parts = True
    net: DBM
    phases: Phases
    can_classify: Tensor

    def __init__(
        self,
        pretraining_optimizer: OptimizerCallable,
        optimizer: OptimizerCallable,
        classifier_optimizer: OptimizerCallable,
        hidden: list[PositiveInt] = [500, 1000],  # noqa: B006  # jsonargparse shows it
        pretraining_epochs: NonNegativeInt = 10,
        joint_epochs: NonNegativeInt = 100,
        classifier_epochs: NonNegativeInt = 15,
        anneal: bool = True,
        pretraining_gibbs_steps: PositiveInt = 1,
        gibbs_steps: PositiveInt = 1,
        chains: PositiveInt = 100,
        mean_field_steps: PositiveInt = 5,
        centred: bool = False,
        initial_scale: PositiveFloat = 0.01,
        initial_second_bias: float = -2.0,
        ais_chains: NonNegativeInt = 100,
        ais_temperatures: PositiveInt = 14_500,
        enumerate_states: bool | None = None,
        sampling_steps: list[PositiveInt] = [1, 10, 50, 100, 200, 500],  # noqa: B006  # jsonargparse shows it
        sampling_chains: NonNegativeInt = 500,
        quality_samples: NonNegativeInt = 0,
    ) -> None:
        super().__init__(int(quality_samples))
        epochs = Epochs(pretraining_epochs, joint_epochs, classifier_epochs)
        dbm_settings.check(hidden, epochs)
        refuse_settings(sampling_steps, enumerate_states, hidden[0])
        first, second = map(int, hidden)
        self.net = DBM(SIDE**2, first, second, float(initial_scale))
        refuse_chains("chains", int(chains), SIDE**2 + first + second)
        steps = (int(pretraining_gibbs_steps), int(gibbs_steps), int(mean_field_steps))
        self.learning = DBMLearning(self.net, int(chains), *steps, centred, float(initial_scale))
        self.initial_second_bias = initial_second_bias
        self.classifier = MeanFieldClassifier(SIDE**2, first, second, CLASSES)
        self.register_buffer("can_classify", torch.tensor(False))  # once it has begun to learn
        self.phases = self._phases(epochs, (pretraining_optimizer, optimizer, classifier_optimizer), anneal)
        self.likelihood = Likelihood(int(ais_chains), int(ais_temperatures), enumerate_states, dbm_examination.BOUND)
        looks = list(map(int, sampling_steps))
        self.examination = dbm_examination.Examination(self.likelihood, looks, int(sampling_chains))

    def _phases(self, epochs: Epochs, optimizers: tuple[OptimizerCallable, ...], anneal: bool) -> Phases:
        """Those of each layer alone, of the machine, and of the classifier."""
        of_layer, of_machine, of_classifier = optimizers
        alone = [
            Phase(name, epochs.layer, (layer,), of_layer, partial(self.measure_layer, k), anneal)
            for k, (name, layer) in enumerate(zip(LAYERS, self.learning.layers, strict=True), start=1)
        ]
        joint = Phase(JOINT, epochs.joint, (self.net,), of_machine, self.measure_machine, anneal)
        readout = Phase(CLASSIFIER, epochs.classifier, (self.classifier,), of_classifier, self.classify, anneal)
        return Phases([*alone, joint, readout])

    # What it is

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """The machine's while it learns, then the classifier's."""
        return (*dbm_settings.OF_MACHINE, *cls.monitors(), "test/loss", "test/accuracy")

    @classmethod
    def monitors(cls) -> tuple[str, ...]:
        """Those of the classifier alone: the machine's do not say which of its weights are best."""
        return ("train/loss", "train/accuracy", "val/loss", "val/accuracy")

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The bound, and what chains end in."""
        return (*dbm_examination.SUMMARIES, *sample_quality.SUMMARIES)

    @classmethod
    def planned_epochs(cls, arguments: Mapping[str, Any]) -> int:
        """The sum over the phases."""
        return Epochs(*(int(arguments[f"{phase}_epochs"]) for phase in ("pretraining", "joint", "classifier"))).total

    def restricted(self) -> RBM:
        """The machine between image and second layer on one side, first layer on the other."""
        return self.net.as_rbm()

    def examine(self, data: MNISTData) -> Findings:
        """The bound, chains, filters."""
        return dbm_examination.examine(self.net, data, self.examination)

    def make_optimizers(self) -> Any:
        """One for each phase."""
        return self.phases.make_optimizers()

    def flops_per_step(self, batch: Batch) -> int:
        """Those of an update of the whole machine."""
        return self.learning.flops_of_joint_update(len(batch[0]))

    # What it computes

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """The means of h₂ that are inferred from images, as probabilities: (B, 1, 28, 28) → (B, hidden[1])."""
        return self._infer(images.flatten(1)).second

    def scores(self, images: Tensor) -> Tensor:
        """The classes' scores from images and the means inferred from them: (B, 1, 28, 28) → (B, 10)."""
        scores: Tensor = self.classifier(MeanFieldInput(images.flatten(1), self.encode(images)))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """The classes' probabilities, all alike where no classifier was trained: (B, 1, 28, 28) → (B, 10)."""
        return self.scores(images).softmax(dim=1)

    def classify(self, batch: Batch) -> Metrics:
        """Cross-entropy and accuracy."""
        return loss_and_accuracy(self.scores(batch[0]), batch[1])

    @torch.no_grad()
    def measure_layer(self, k: int, batch: Batch) -> Metrics:
        """How well layer k alone reconstructs what is below it."""
        below = self.learning.below(k, self._drawn(batch), self.draws)
        return {"reconstruction": mse_loss(self.learning.layer(k)(below), below)}

    @torch.no_grad()
    def measure_machine(self, batch: Batch) -> Metrics:
        """How well the whole machine reconstructs images, and their variational free energy."""
        means = self._infer(self._drawn(batch))
        error = mse_loss(self.net.visible_probability(means.first), means.visible)
        return {"reconstruction": error, "free_energy": -self.net.bound(means).mean()}

    def _drawn(self, batch: Batch) -> Tensor:
        """Images of zeros and ones (B, 784), drawn with their grey levels as probabilities."""
        return torch.bernoulli(batch[0].flatten(1).cpu(), generator=self.draws).to(self.net.lower)

    def _infer(self, v: Tensor) -> States:
        """The means of the hidden units."""
        return self.net.mean_field(v, self.learning.mean_field_steps)

    # How it is trained

    def on_fit_start(self) -> None:
        """Lets the layers alone learn."""
        self.learning.layers.requires_grad_(True)
        super().on_fit_start()

    @torch.no_grad()
    def initialize(self, data: MNISTData) -> None:
        """Lets the biases of pixels begin at the log-odds of their means, and those of the second layer below 0.

        Where they begin at 0, most of the probability goes to states that chains from images never see: with all of h₁
        off, pixels and h₂ are noise, of which there is more than of digits, see `quiet_states`. Source: Hinton, A
        Practical Guide to Training Restricted Boltzmann Machines, 2010, section 8, which proposes -4 for units that are
        to be on rarely.
        """
        of_pixels = log_odds(data.train[0].flatten(1)).to(self.net.visible_bias)
        for machine in (self.net, self.learning.layer(1)):
            machine.visible_bias.copy_(of_pixels)
        for biases in (self.net.second_bias, self.learning.layer(2).hidden_bias):
            biases.fill_(self.initial_second_bias)

    def seen(self, data: MNISTData, images: Tensor) -> Tensor:
        """Images of zeros and ones, drawn once."""
        return data.binarized("watched", (images,), "dynamic")[0]

    def on_fit_end(self) -> None:
        """Retires the layers alone, which do not count among the parameters."""
        self.learning.layers.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        """Moves on to the phase of the epoch; the classifier begins as the machine's inference."""
        self.phase_optimizer, self.phase = self.phases.enter(self), self.phases.at(self.current_epoch)
        if self.phases.begins(self.current_epoch) and self.phase.name == CLASSIFIER:
            self.classifier.begin_as(self.net)
            self.can_classify.fill_(True)

    def train_batch(self, batch: Batch) -> Metrics:
        """A step of the phase's optimizer."""
        if self.phase.name == CLASSIFIER:
            metrics = self.phase.measure(batch)
            self.descend(self.phase_optimizer, metrics["loss"])
            return metrics
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):  # gradients as precise as the weights
            measured = self._leave_gradient(draw(batch[0].flatten(1)))
        self.clip(self.phase_optimizer)
        self.take_step(self.phase_optimizer)
        if self.phase.name in LAYERS:
            self.learning.stack(self.net)  # at each step, for weights may be averaged over steps
        return measured

    def _leave_gradient(self, v: Tensor) -> Metrics:
        """Leaves the gradient of the phase in the parameters; of some batches the reconstruction is measured."""
        data = (
            self.learning.leave_joint_gradient(self.net, v)
            if self.phase.name == JOINT
            else self.learning.leave_layer_gradient(1 + LAYERS.index(self.phase.name), v)
        )
        if len(self.epoch_means.batches) % _MEASURED:
            return {}
        machine: DBM | LayerAlone = self.phase.modules[0]  # type: ignore[assignment]  # what learns
        return {"reconstruction": mse_loss(machine.visible_probability(data.hidden), data.visible)}

    def on_train_epoch_end(self) -> None:
        """Adds the free energy of the watched images."""
        if self.phase.name == JOINT:
            with torch.no_grad():
                energies = in_batches(lambda v: -self.net.bound(self._infer(v)), self.watched)
            self.epoch_means.append({"free_energy": energies.mean()})
        super().on_train_epoch_end()

    def on_evaluation_start(self, stage: str) -> None:
        """Begins the draws of pixels anew."""
        self.draws = stream(self.seed, f"binarization of {stage}")

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """What the phase measures; in the test all of the whole machine and of the classifier."""
        if stage == "val":
            return self.phase.measure(batch)
        return {**self.measure_machine(batch), **(self.classify(batch) if self.can_classify else {})}

    # What can be seen of it

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters of machine and classifier; what else there is."""
        yield "parameters", parameters_per_layer(nn.ModuleDict({"machine": self.net, "classifier": self.classifier}))
        yield from super().tables(data)

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Curves by phase, and what is found of the tested machine."""
        yield from dbm_figures.learning_curves(history, self.phases.starts)
        yield from self.findings(data).figures.items()
