"""Settings of generative adversarial networks: who steps when, what is refused, what is measured and reported."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lit_anndl.data.in_memory import EVALUATION_BATCH_SIZE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.line_search import refuse_line_search
from lit_anndl.nets.adversarial_game import ACCURACIES
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History

METRICS = (
    *(
        f"{stage}/{name}"
        for stage in ("train", "val", "test")
        for name in ("discriminator_loss", "generator_loss", *ACCURACIES)
    ),
    "train/generator_gradient_norm",
    "train/gradient_penalty",
    "val/fid",
)
_LOSSES = ("train/generator_loss", "train/discriminator_loss")
_EPOCHS = (1, 2, 10, 20, 25, 30, 50, 70)
"""Those that losses are published of."""
REPORTED = tuple(f"{loss}_epoch_{epoch}" for loss in _LOSSES for epoch in _EPOCHS)


@dataclass(frozen=True)
class Balance:
    """Whose turn it is.

    Args:
        steps: of the discriminator for each one of the generator.
        head_start: of the discriminator before the first one of the generator, which comes `steps` later.

    >>> [Balance(2, 3).is_generators_turn(batch) for batch in range(8)]
    [False, False, False, False, True, False, True, False]
    """

    steps: int
    head_start: int

    def is_generators_turn(self, batch: int) -> bool:
        """Whether the generator steps, too, on a batch, counted from 0 over all epochs."""
        after = batch - self.head_start + 1
        return after > 0 and after % self.steps == 0


def reported(history: History) -> dict[str, float]:
    """The losses of some epochs, counted from 1, as far as training has come.

    >>> reported({"train/generator_loss": [(0, 0.8), (1, 0.9)]})
    {'train/generator_loss_epoch_1': 0.8, 'train/generator_loss_epoch_2': 0.9}
    """
    by_epoch = {loss: dict(history.get(loss, [])) for loss in _LOSSES}
    return {
        f"{loss}_epoch_{epoch}": values[epoch - 1]
        for loss, values in by_epoch.items()
        for epoch in _EPOCHS
        if epoch - 1 in values
    }


def check_constraints(loss: str, weight_clipping: float | None, gradient_penalty: float) -> None:
    """Refuses a bound on weights where there is no critic, and a critic that nothing bounds."""
    if loss != "wasserstein" and weight_clipping is not None:
        raise InputError(
            f"model.weight_clipping {weight_clipping:g} was given with model.loss {loss}, expected null, or wasserstein"
        )
    if loss == "wasserstein" and (weight_clipping is None) == (gradient_penalty == 0):
        raise InputError(
            "model.loss wasserstein: expected one bound on the critic's slope, model.weight_clipping (0.01) or "
            "model.gradient_penalty (10)"
        )


def check_penalised(discriminator: nn.Module, gradient_penalty: float) -> None:
    """Refuses batch normalization where the gradient by a single image is to be bounded."""
    if gradient_penalty and any(isinstance(layer, _BatchNorm) for layer in discriminator.modules()):
        raise InputError(
            f"model.gradient_penalty {gradient_penalty:g} was given for a discriminator with batch normalization, "
            "expected --model.nets.norm layer or none"
        )


def check_last_batch(data: MNISTData, net: nn.Module) -> None:
    """Refuses a last batch of one image, in training or evaluation, where that cannot be standardised."""
    if data.smallest_batch() == 1 and any(isinstance(layer, _BatchNorm) for layer in net.modules()):
        raise InputError(
            f"data.batch_size {data.batch_size} leaves a last batch of one image, which batch normalization cannot "
            "standardise; expected another"
        )
    without_memory = any(isinstance(each, _BatchNorm) and each.running_mean is None for each in net.modules())
    for name, images in (("validation", data.validation), ("test", data.test)):
        if without_memory and images and len(images[0]) % EVALUATION_BATCH_SIZE == 1:
            raise InputError(
                f"the {len(images[0])} {name} images leave a last batch of one, which batch normalization without "
                "running means cannot standardise; expected another number"
            )


def check_optimizers(optimizers: Mapping[str, Optimizer]) -> None:
    """Refuses those that evaluate the loss several times: the other net would have to hold still."""
    for name, optimizer in optimizers.items():
        refuse_line_search(optimizer, f"model.{name}_optimizer")
