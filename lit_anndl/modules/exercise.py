"""What every exercise is: a LightningModule that trains on lists of batches and can show what it found."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Generic, TypeVar

from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from lit_anndl.data.data_module import DataModule
from lit_anndl.modules.epoch import EpochMeans, log_epoch, refuse_infinite_weights, share_buffers
from lit_anndl.modules.manual_optimization import ManualOptimization
from lit_anndl.modules.phases import Phases
from lit_anndl.modules.restore import Restorable
from lit_anndl.modules.schedules import end_of_schedule
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table

Data = TypeVar("Data", bound=DataModule)
Metrics = dict[str, Tensor]
"""Scalars by name, such as `loss`; without the stage, `train`, `val` or `test`."""


class Exercise(ManualOptimization, Restorable, Generic[Data]):
    """A model with its training, its metrics, and figures and tables of its tested run.

    Subclasses say what one batch does, in `train_batch` and `evaluate_batch`, and make their optimizers, one, several
    or none, in `make_optimizers`. A training step takes a list of batches: Lightning's own cost per step is several
    times that of a step of a small net, and a list pays it once. Logged per epoch are `train/NAME`, the mean over the
    epoch's batches, and `val/NAME` and `test/NAME`, means over the examples.

    Attributes:
        net: what maps inputs to outputs.
        examined: what `examined_once` has found since the latest test began, by the method that has found it.
        shares_gradients: whether several processes may train it together, each on its share of the examples.
        phases: those of training, None where there is one; averages of weights begin anew with each, early
            stopping looks at the last.
        together: learns from a list of batches together with other runs, given this exercise and the batches; returns
            the metrics of each batch, (steps). None where it learns alone.
        trains_in_parts: whether a step may leave parameters without a gradient, which data parallelism has to know.
        needs_single_precision: whether weights of half precision leave nothing of what it measures.
        writes_gradients: whether it leaves gradients that are those of no loss, which could be scaled.
    """

    net: nn.Module
    shares_gradients = True
    phases: Phases | None = None
    trains_in_parts = False
    needs_single_precision = False
    writes_gradients = False
    together: "Callable[[Exercise[Any], list[Any]], Metrics] | None" = None

    def __init__(self) -> None:
        super().__init__()
        self.epoch_means = EpochMeans()
        self.examined: dict[str, Any] = {}

    # What it is

    @classmethod
    @abstractmethod
    def metrics(cls) -> tuple[str, ...]:
        """The names of the metrics that a run logs, stage included, `val/…` only with validation data."""

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The names of what `summary` returns."""
        return ()

    def build(self, data: Data) -> None:
        """Builds the layers whose sizes depend on the data, which are not read yet."""

    def check(self, data: Data) -> None:
        """Refuses data that do not fit the model, with InputError."""

    def initialize(self, data: Data) -> None:
        """Sets weights that begin at values of the training data, which are read by now."""

    @classmethod
    def monitors(cls) -> tuple[str, ...]:
        """The metrics that the best weights may be chosen by: none of the test."""
        return tuple(name for name in cls.metrics() if name.startswith(("train/", "val/")))

    @classmethod
    def planned_epochs(cls, arguments: Mapping[str, Any]) -> int | None:
        """How many epochs these arguments plan, where `trainer.max_epochs` is null; None if they plan none.

        By default as many as the learning rate's schedule is made for.
        """
        return end_of_schedule(arguments)[1]

    @classmethod
    def learning_rates(cls) -> tuple[str, ...]:
        """The settings that the learning rates are, one for each optimizer that the class is made with."""
        return tuple(f"model.{name}.lr" for name in signature(cls).parameters if name.endswith("optimizer"))

    @classmethod
    def tied_to_epochs(cls, arguments: Mapping[str, Any]) -> str | None:
        """The setting, among these arguments, that fixes the number of epochs; None if training may be extended."""
        return end_of_schedule(arguments)[0]

    @classmethod
    def trains_side_by_side(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether a run with these arguments may take its steps together with others of one likeness."""
        return False

    def likeness(self) -> Hashable | None:
        """What exercises have in common that can take their steps as one; None where this one takes them alone."""
        return None

    def side_by_side(
        self, modules: Sequence[Any], generators: Sequence[Generator]
    ) -> Callable[[Sequence[list[Any]]], list[Metrics]]:
        """Takes the steps of several exercises of one likeness, after equally many, as one.

        Args:
            modules: the exercises.
            generators: in the place of torch's own, one for each.

        Returns:
            a function of the batches of each, which are of equal sizes: the metrics of each, one after the other,
            (steps).
        """
        raise NotImplementedError

    def flops_per_step(self, batch: Any) -> int:
        """Floating-point operations of a training batch, by which the number of threads is chosen; 0 for one thread."""
        return 0

    def advice(self) -> str:
        """What to try where training diverges."""
        flags = " or ".join(f"--{rate}" for rate in self.learning_rates())
        return f"try a smaller learning rate ({flags}) or larger batches" if flags else "try other settings"

    # What one batch does

    @abstractmethod
    def train_batch(self, batch: Any) -> Metrics:
        """One training step on a batch; returns its metrics, taken before the update, the loss first."""

    @abstractmethod
    def evaluate_batch(self, batch: Any, stage: str) -> Metrics:
        """Means over a batch of validation ("val") or test ("test") examples."""

    def examples_in(self, batch: Any) -> int:
        """How many examples a batch of validation or test has, its weight in their means."""
        return len(batch[0])

    # What can be done with it

    def sample(self, number: int, generator: Generator) -> Tensor:
        """Images in [0, 1] (number, 1, 28, 28), of a generative model.

        Raises:
            InputError: this is none.
        """
        name = self.exercise or type(self).__name__
        raise InputError(f"{name} draws no images, expected an exercise that does, such as gan")

    # What can be seen of it

    def summary(self, data: Data, history: History) -> dict[str, float]:
        """What can be said of a tested run as a whole, beside its metrics."""
        return {}

    def figures(self, data: Data, history: History) -> Iterator[tuple[str, Figure]]:
        """Names and figures."""
        yield from ()

    def tables(self, data: Data) -> Iterator[tuple[str, Table]]:
        """Names and tables."""
        yield from ()

    # Lightning's hooks

    def forward(self, inputs: Tensor) -> Any:
        """The net's outputs."""
        return self.net(inputs)

    def training_step(self, batches: list[Any], _: int) -> None:
        """Learns from batches one by one, or from all together with other runs."""
        if self.together:
            self.epoch_means.extend(self.together(self, batches))
            done = len(batches)
            self.count_steps(done)
        else:
            done = self._learn_one_by_one(batches)
        share_buffers(self)
        self.epoch_means.refuse_divergence(self, done, self.advice)

    def _learn_one_by_one(self, batches: list[Any]) -> int:
        """Learns from each batch, no more than `max_steps` optimizer steps in all; from how many it has learnt."""
        schedules, limit = self.schedules("step"), self.trainer.max_steps
        done = 0
        for batch in batches:
            if 0 < limit <= self.global_step:
                break
            self.epoch_means.append(self.train_batch(batch))
            done += 1
            for schedule in schedules:
                schedule.step()
        return done

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's means, and moves learning rates that change by epochs."""
        log_epoch(self, {f"train/{name}": value for name, value in self.epoch_means.reset().items()})
        for schedule in self.schedules("epoch"):
            schedule.step()

    def on_evaluation_start(self, stage: str) -> None:
        """Begins a validation ("val") or a test ("test"): what is drawn in it begins anew, so that all see the same."""

    def on_validation_start(self) -> None:
        """Begins a validation."""
        self.on_evaluation_start("val")

    def on_test_start(self) -> None:
        """Drops what was found of an earlier test, and begins another."""
        self.examined.clear()
        self.on_evaluation_start("test")

    def validation_step(self, batch: Any, _: int) -> None:
        """Logs the validation metrics."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Any, _: int) -> None:
        """Logs the test metrics."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: Any, *_: int) -> Any:
        """The outputs for a batch of inputs, which may have targets beside them."""
        return self(batch[0] if isinstance(batch, tuple | list) else batch)

    def on_train_end(self) -> None:
        """Tests no weights that have diverged: the last step may have been the one."""
        self.together = None
        refuse_infinite_weights(self, self.advice)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps no weights that diverged."""
        refuse_infinite_weights(self, self.advice)
        super().on_save_checkpoint(checkpoint)

    def _evaluate(self, batch: Any, stage: str) -> None:
        metrics = {f"{stage}/{name}": value for name, value in self.evaluate_batch(batch, stage).items()}
        self.log_dict(metrics, batch_size=self.examples_in(batch), sync_dist=self.trainer.world_size > 1)
