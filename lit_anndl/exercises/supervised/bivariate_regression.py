"""Least squares by multilayer perceptrons: what the exercises that fit a function z = f(x, y) share."""

import pkgutil
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable
from torch import Generator, Tensor, nn

from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.modules.stacked_optimizer import is_elementwise
from lit_anndl.modules.stacked_training import Member, StackedTraining
from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation, can_write_out
from lit_anndl.nets.ensemble import Ensemble
from lit_anndl.nets.mlp import MLP, Activation
from lit_anndl.nets.penalty import WeightPenalty, weight_matrices
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History

Points = TypeVar("Points", bound=InMemoryData)


class BivariateRegression(GradientExercise[Points]):
    """Least squares by a multilayer perceptron with two inputs and one output, regularized in any of the usual ways.

    Metrics: `train/mse`, `val/mse` and `test/mse`, mean squared errors; in training without the penalties,
    with whatever noise there is, and for an ensemble the mean of its members' own.
    Of the tested weights: `final/mse`, the error on the training set, and `final/gap` = `test/mse` - `final/mse`.
    Of the training curve: `lowest/mse`, the least `train/mse`, and `lowest/epoch`, its epoch, counted from 0.

    Args:
        optimizer: a class of torch.optim with its arguments.
        hidden: units in each hidden layer, [20, 20, 20]; a single number stands for two layers of it.
        activation: what hidden units apply, one for all layers, or one for each: [tanh, relu, tanh].
        input_mean: what is subtracted from the inputs.
        input_std: what they are divided by then; inputs of mean 0 and standard deviation 1 are learnt from fastest.
        glorot_gain: gain of Glorot's uniform initialization, with biases 0 (1 is what Keras does, 5/3 is advised for
            tanh); null for torch's own.
        dropout: probability of zeroing a hidden unit in training.
        batch_norm: whether hidden layers are standardised over the batch.
        jitter: standard deviation of noise added to the inputs in training, in their units.
        l1: weight of the sum of |w| over all weights, added to the squared error.
        l2: weight of the sum of w², likewise.
        members: networks that are trained side by side and averaged; with `data.resamples` as large, each on a
            bootstrap sample of its own (bagging).

    Raises:
        InputError: there are not as many activations as hidden layers; `data.resamples` does not fit `members`;
            batches of one example with `batch_norm`.
    """

    metric_names = ("mse",)

    def __init__(
        self,
        optimizer: OptimizerCallable,
        hidden: PositiveInt | list[PositiveInt] = 50,
        activation: Activation | list[Activation] = "relu",
        input_mean: float = 0.0,
        input_std: PositiveFloat = 1.0,
        glorot_gain: PositiveFloat | None = None,
        dropout: ClosedUnitInterval = 0.0,
        batch_norm: bool = False,
        jitter: NonNegativeFloat = 0.0,
        l1: NonNegativeFloat = 0.0,
        l2: NonNegativeFloat = 0.0,
        members: PositiveInt = 1,
    ) -> None:
        layers = [hidden, hidden] if isinstance(hidden, int) else hidden
        if isinstance(activation, list) and len(activation) != len(layers):
            raise InputError(
                f"model.activation: {activation} was given, expected one for all, or one for each of the "
                f"{len(layers)} hidden layers of model.hidden {hidden}"
            )
        sizes = (2, *layers, 1)
        nets = [
            MLP(
                sizes,
                activation,
                dropout=dropout,
                batch_norm=batch_norm,
                jitter=jitter,
                input_mean=input_mean,
                input_std=input_std,
                glorot_gain=glorot_gain,
            )
            for _ in range(members)
        ]
        net = nets[0] if members == 1 else Ensemble(nets)
        penalised = bool(l1 or l2)
        written_out = not penalised and can_write_out(net)
        super().__init__(optimizer, net, SquaredErrorBackpropagation(nets[0]) if written_out else None)
        self.nets = nets
        self.penalty = WeightPenalty(weight_matrices(net.parameters()), l1, l2) if penalised else None
        self.members = members
        self.is_noisy = dropout > 0 or jitter > 0

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """What is said of the tested weights and of the training curve."""
        return ("final/mse", "final/gap", "lowest/mse", "lowest/epoch")

    @classmethod
    def trains_side_by_side(cls, arguments: Mapping[str, Any]) -> bool:
        """With an optimizer that looks at each weight alone."""
        return is_elementwise(pkgutil.resolve_name(arguments["optimizer"]["class_path"]))

    def likeness(self) -> Hashable | None:
        """Layers, number and penalty of the networks, and the kind of optimizer, whose settings may differ.

        Single devices alone, no bound on gradients or on steps.
        """
        plain = self.bypass_lightning and not self.gradient_clipping and self.trainer.max_steps < 0
        plain &= not self.schedules("step")
        plain &= self.device.type == "cpu" or not self.is_noisy  # the generators are a CPU's
        if not (plain and is_elementwise(type(self.optimizer))):
            return None
        penalty = (self.penalty.l1, self.penalty.l2) if self.penalty else None
        like = next(self.parameters())
        return (type(self), repr(self.nets[0]), self.members, penalty, type(self.optimizer), like.dtype, like.device)

    def side_by_side(
        self, modules: Sequence["BivariateRegression[Points]"], generators: Sequence[Generator]
    ) -> Callable[[Sequence[list[Batch]]], list[Metrics]]:
        """All their networks as one."""
        members = [Member(each.nets, each.optimizer, own) for each, own in zip(modules, generators, strict=True)]
        training = StackedTraining(members, self.make_optimizer, self._stacked_penalty if self.penalty else None)
        return lambda batches: [{"mse": errors} for errors in training.learn(batches)]

    def on_train_start(self) -> None:
        """Lets the members of an ensemble learn side by side."""
        super().on_train_start()
        if self.members > 1 and self.likeness():
            learn = self.side_by_side([self], [torch.default_generator])
            self.together = lambda _, batches: learn([batches])[0]

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """The mean squared error; each member of an ensemble has the same targets unless it has its own."""
        _, targets = batch
        if outputs.dim() > targets.dim():
            targets = targets.unsqueeze(1)
        return {"mse": (outputs - targets).square().mean()}

    def loss(self, metrics: Metrics) -> Tensor:
        """The squared error, summed over the members, and the penalties.

        So each member trains as it would alone, but for what looks at all parameters at once: L-BFGS, and a bound on
        the norm of gradients.
        """
        error: Tensor = self.members * metrics["mse"]
        return error + self.penalty() if self.penalty else error

    def _stacked_penalty(self, parameters: Sequence[nn.Parameter]) -> WeightPenalty:
        assert self.penalty is not None
        return WeightPenalty(weight_matrices(parameters, stacked=True), self.penalty.l1, self.penalty.l2)

    def check(self, data: Points) -> None:
        """Refuses bootstrap samples for others than the members."""
        if data.resamples and (self.members == 1 or data.resamples != self.members):
            raise InputError(
                f"data.resamples {data.resamples} does not fit model.members {self.members}: "
                "expected as many, from 2, or 0 to train all members on the same examples"
            )

    def summary(self, data: Points, history: History) -> dict[str, float]:
        """The training error of the tested weights, and the lowest of the training curve."""
        final = self.error(data.train)
        inputs, targets = data.test
        tested = float(self.measure(torch.cat(self.test_outputs).double(), (inputs, targets.double()))["mse"])
        curve_of_own = [point for point in history.get("train/mse", ()) if point[0] >= data.epochs_before]
        lowest = min(curve_of_own, key=lambda point: point[1], default=None)
        curve = {"lowest/mse": lowest[1], "lowest/epoch": float(lowest[0])} if lowest else {}
        return {"final/mse": final, "final/gap": tested - final, **curve}

    @torch.no_grad()
    def error(self, examples: Sequence[Tensor]) -> float:
        """The mean squared error of the network in evaluation over some examples."""
        self.eval()
        like = next(self.parameters())
        batch = tuple(tensor.to(like) for tensor in examples)
        return float(self.measure(self.net(batch[0]), batch)["mse"])
