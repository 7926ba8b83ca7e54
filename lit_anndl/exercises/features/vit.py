"""A vision transformer of digits, and where it looks (exercise 3.3)."""

from collections.abc import Iterator

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate

from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.modules.image_classifier import ImageClassifier
from lit_anndl.nets.attention_rollout import attention_rollout
from lit_anndl.nets.vision_transformer import VisionTransformer
from lit_anndl.plots.attention_maps import attention_over_images, position_similarity
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History


class DigitViT(ImageClassifier):
    """Cross-entropy classification of images by attention between their patches.

    Metrics: `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`, `val/` and `test/`; in training
    they are taken with dropout on, before each step, and from labels that are smoothed, if they are.

    Args:
        optimizer: a class of torch.optim with its arguments.
        dim: units of a token.
        depth: blocks of attention and perceptron.
        heads: of attention, dim / heads units each.
        mlp_dim: hidden units of the perceptrons, those of the blocks and the one that reads off the class.
        patch_size: pixels of a patch's side; a token for each patch.
        stem: channels of convolutions of stride 2 before the patches, [32, 64]; each halves a patch's side.
        dropout: probability of zeroing a unit of the first tokens, a hidden one, or one of what a block adds.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        label_smoothing: share of the target that all classes get alike.

    Raises:
        InputError: patches do not cover an image, or dim cannot be divided by the heads.
    """

    net: VisionTransformer

    def __init__(
        self,
        optimizer: OptimizerCallable,
        dim: PositiveInt = 64,
        depth: PositiveInt = 6,
        heads: PositiveInt = 8,
        mlp_dim: PositiveInt = 128,
        patch_size: PositiveInt = 7,
        stem: list[PositiveInt] = [],  # noqa: B006  # jsonargparse shows it
        dropout: ClosedUnitInterval = 0.0,
        lr_scheduler: LRSchedulerCallable | None = None,
        label_smoothing: ClosedUnitInterval = 0.0,
    ) -> None:
        shape = {"image_size": SIDE, "classes": CLASSES}
        try:
            net = VisionTransformer(dim, depth, heads, mlp_dim, patch_size, **shape, dropout=dropout, stem=stem)
        except ValueError as error:
            raise InputError(f"model.{error}") from error
        super().__init__(optimizer, net, lr_scheduler, label_smoothing)

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Those of all classifiers; where attention comes from; how alike the positions are."""
        yield from super().figures(data, history)
        yield "attention_rollout", self.rollout_figure(data)
        similarity = self.net.embedding.similarity().detach()
        yield "positions", position_similarity(similarity.cpu().float().numpy())

    def rollout_figure(self, data: MNISTData) -> Figure:
        """The first test image of each class, and the patches' shares in the class token."""
        images, labels = data.test
        predicted = torch.cat(self.test_outputs).argmax(dim=1)
        chosen = torch.stack([(labels == label).nonzero()[0, 0] for label in labels.unique()])
        captions = [f"{labels[i]} as {predicted[i]}" for i in chosen.tolist()]
        title = "test images, true as predicted; below, the patches' shares in the class token, by attention rollout"
        shares = self.patch_shares(images[chosen])
        enlarged = interpolate(shares.unsqueeze(1), SIDE, mode="nearest").squeeze(1)
        return attention_over_images(images[chosen, 0].numpy(), enlarged.numpy(), captions, title)

    @torch.no_grad()
    def patch_shares(self, images: Tensor) -> Tensor:
        """The patches' shares in the last class token, by rollout: (B, 1, 28, 28) → (B, side, side), on the CPU."""
        maps = self.net.attention_maps(images.to(self.net.embedding.positions))
        side = self.net.embedding.side
        rollout = attention_rollout(maps).cpu().float()  # (B, 1 + N, 1 + N)
        shares: Tensor = rollout[:, 0, 1:].unflatten(1, (side, side))  # without the class token's own
        return shares
