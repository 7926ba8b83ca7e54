"""Layouts of convolutional networks, and those that have a name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from lit_anndl.nets.mlp import Activation


class Convolution(NamedTuple):
    """One convolution and what follows it."""

    channels: int
    kernel: int
    stride: int
    padding: int
    pooling: int
    dropout: float


@dataclass(frozen=True)
class Architecture:
    """Convolutions, each followed by batch normalization, activation, max pooling and dropout as far as wanted, then a
    last pooling to a fixed size, and a multilayer perceptron.

    A setting that may differ from convolution to convolution is one number for all of them, or one for each.

    Args:
        channels: filters per convolution; empty for a multilayer perceptron alone.
        kernels: sizes of the filters.
        strides: steps between the places they lie on.
        padding: zeros on each side.
        pooling: sizes of the max pooling after each convolution, 1 for none.
        batch_norm: whether each convolution's outputs are standardised (Ioffe & Szegedy, ICML 2015).
        activation: what convolutions and hidden units apply.
        dropout: probability of zeroing a value, after each convolution.
        last_pooling: "average" or "max" over the images before the perceptron, None for neither.
        last_size: height and width that it leaves.
        head: hidden units of the perceptron.
        head_dropout: probability of zeroing one of its inputs or hidden units.
        head_batch_norm: whether inputs of its hidden units are standardised.
    """

    channels: Sequence[int]
    kernels: int | Sequence[int] = 3
    strides: int | Sequence[int] = 1
    padding: int | Sequence[int] = 0
    pooling: int | Sequence[int] = 1
    batch_norm: bool = False
    activation: Activation = "relu"
    dropout: float | Sequence[float] = 0.0
    last_pooling: Literal["average", "max"] | None = None
    last_size: int = 1
    head: Sequence[int] = (100,)
    head_dropout: float = 0.0
    head_batch_norm: bool = False

    def without_effect(self) -> list[str]:
        """The settings, other than they are by default, of layers that there are none of.

        >>> Architecture([], kernels=5).without_effect(), Architecture([], kernels=5, head=()).without_effect()
        (['kernels'], ['kernels'])
        """
        of_convolutions = ("kernels", "strides", "padding", "pooling", "batch_norm", "dropout")
        idle = [] if self.channels else [*of_convolutions]
        idle += [] if self.head else ["head_batch_norm"]
        idle += [] if self.channels or self.head else ["activation"]
        default = Architecture(self.channels)
        return [name for name in idle if getattr(self, name) != getattr(default, name)]

    def convolutions(self) -> list[Convolution]:
        """The convolutions in order.

        Raises:
            ValueError: a setting is given for another number of convolutions.
        """
        settings = ("kernels", "strides", "padding", "pooling", "dropout")
        return [Convolution(*each) for each in zip(self.channels, *map(self._per_layer, settings), strict=True)]

    def _per_layer(self, name: str) -> Sequence[Any]:
        """A setting for each convolution."""
        value = getattr(self, name)
        if not isinstance(value, Sequence):
            return [value] * len(self.channels)
        if len(value) != len(self.channels):
            number = len(self.channels)
            raise ValueError(
                f"{name}: {len(value)} were given for {number} convolutions, expected one number, or one for each"
            )
        return value


_BASELINE = Architecture(
    channels=(16, 32, 32, 64), kernels=(3, 3, 3, 2), strides=2, padding=(1, 1, 1, 0), batch_norm=True
)
_MODEL_2 = Architecture(channels=(32, 64, 128), padding=1, pooling=(1, 2, 2), dropout=(0.0, 0.25, 0.25), head=(128,))

Variant = Literal["baseline", "model_1", "model_2", "model_3", "model_4", "model_5", "mlp", "keras"]
"""Architectures with a name; their parameters for 28×28 grey images and ten classes are in `VARIANTS`."""

VARIANTS: dict[Variant, Architecture] = {
    "baseline": _BASELINE,  # 49 302
    "model_1": Architecture(channels=(16, 32), last_pooling="average", last_size=4),  # 57 110
    "model_2": _MODEL_2,  # 896 906
    # 11 498: of what "8 – maxpool – 16, dense 10" may be, the one that is nearest to the 11 thousand reported; 26×26
    # pooled by 3 gives 8×8, which the padding keeps (pooled by 2, 20 618 without and 32 618 with padding)
    "model_3": Architecture(channels=(8, 16), padding=(0, 1), pooling=(3, 1), head=()),
    "model_4": replace(_MODEL_2, batch_norm=True),  # 897 354
    "model_5": replace(_BASELINE, last_pooling="max"),  # 30 102
    "mlp": Architecture(channels=(), head=(62,)),  # 49 300, as many as the baseline's but for two
    # 34 826, the Keras example "Simple MNIST convnet" (F. Chollet, 2015)
    "keras": Architecture(channels=(32, 64), pooling=2, head=(), head_dropout=0.5),
}
