"""Self-attention in NumPy and in PyTorch, and what it costs (exercise 3.3)."""

from collections.abc import Iterator

import numpy as np
import torch
from jsonargparse.typing import PositiveInt
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.random_tokens import RandomTokens
from lit_anndl.exercises.features import attention_cost
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.nets.self_attention import Array, SelfAttention, attention, softmax, softmax_of_swapped_clip
from lit_anndl.plots.attention_maps import attention_weights, cost
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class Attention(Exercise[RandomTokens]):
    """Self-attention of random weights on random tokens, computed three times over.

    Metrics: `test/difference`, the largest difference between NumPy's and PyTorch's outputs; `test/sdpa_difference`,
    that to torch's scaled_dot_product_attention; `test/swapped_spread`, the largest difference between two weights of
    one row when softmax is preceded by a clip whose bounds are swapped (none: whatever the scores, every token gets
    the mean of all values, of those that a mask forbids, too), and `test/spread`, that of honest weights;
    `train/norm`, the mean norm of an output token.

    Args:
        heads: of attention.
        causal: whether a token attends to itself and to earlier ones alone.
        lengths: sequences of so many tokens are timed; none for no timing.

    Raises:
        InputError: the units of a token cannot be divided by the heads.
    """

    net: SelfAttention
    shares_gradients = False
    needs_single_precision = True

    def __init__(
        self,
        heads: PositiveInt = 1,
        causal: bool = False,
        lengths: list[PositiveInt] = [64, 128, 256, 512, 1024],  # noqa: B006  # jsonargparse shows it
    ) -> None:
        super().__init__()
        self.heads, self.causal, self.lengths = heads, causal, lengths

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Of the comparisons."""
        return ("train/norm", "test/difference", "test/sdpa_difference", "test/spread", "test/swapped_spread")

    def build(self, data: RandomTokens) -> None:
        """Makes the projections for tokens of that size."""
        try:
            self.net = SelfAttention(data.shape[2], self.heads).double()
        except ValueError as error:
            raise InputError(f"data.dim and model.heads: {error}") from error

    def mask(self, tokens: int) -> Tensor | None:
        """Where attention may be paid (N, N), None for everywhere."""
        return torch.ones(tokens, tokens, dtype=torch.bool, device=self.device).tril() if self.causal else None

    @torch.no_grad()
    def train_batch(self, batch: tuple[Tensor]) -> Metrics:
        """There is nothing to learn; the outputs' size is logged."""
        outputs = self.net(batch[0], self.mask(batch[0].shape[1]))
        return {"norm": outputs.norm(dim=-1).mean()}

    def evaluate_batch(self, batch: tuple[Tensor], stage: str) -> Metrics:
        """Compares the three ways, and softmax with its counter-example."""
        (x,) = batch
        mask = self.mask(x.shape[1])
        outputs = self.net(x, mask)
        scores = self.scores(x)
        return {
            "difference": (outputs.cpu() - torch.from_numpy(self.in_numpy(x))).abs().max(),
            "sdpa_difference": (outputs - self.net.fused(x, mask)).abs().max(),
            "spread": torch.tensor(np.ptp(softmax(scores), axis=-1).max()),
            "swapped_spread": torch.tensor(np.ptp(softmax_of_swapped_clip(scores), axis=-1).max()),
        }

    def in_numpy(self, x: Tensor) -> Array:
        """The same attention in NumPy: (B, N, d) → (B, N, d)."""
        tokens = x.cpu().numpy()
        mask = self.mask(x.shape[1])
        projected = [tokens @ matrix.T for matrix in self.matrices()[:3]]  # each (B, N, d)
        queries, keys, values = (np.stack(np.split(each, self.heads, axis=-1), axis=1) for each in projected)
        attended = attention(queries, keys, values, None if mask is None else mask.cpu().numpy())  # (B, heads, N, d_v)
        return np.concatenate([attended[:, head] for head in range(self.heads)], axis=-1) @ self.matrices()[3].T

    def matrices(self) -> list[Array]:
        """The projections to queries, keys, values, and back."""
        layers = (self.net.queries, self.net.keys, self.net.values, self.net.output)
        return [layer.weight.detach().cpu().numpy() for layer in layers]

    def scores(self, x: Tensor) -> Array:
        """Q Kᵀ / √d_k, and -∞ where no attention may be paid: (B, heads, N, N)."""
        queries, keys, _ = self.net.project(x)
        scores: Array = (queries @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5).cpu().numpy()
        mask = self.mask(x.shape[1])
        return scores if mask is None else np.where(mask.cpu().numpy(), scores, -np.inf)

    @torch.no_grad()
    def tables(self, data: RandomTokens) -> Iterator[tuple[str, Table]]:
        """The shape of everything on the way, and the costs."""
        inputs = data.inputs.to(self.device)
        queries, keys, values = self.net.project(inputs)
        weights = self.net.weights(queries, keys, self.mask(data.shape[1]))
        steps = {
            "X": (inputs, "(B, N, d)"),
            "Q": (queries, "(B, heads, N, d_k)"),
            "K": (keys, "(B, heads, N, d_k)"),
            "V": (values, "(B, heads, N, d_v)"),
            "scores, weights": (weights, "(B, heads, N, N)"),
            "weighted values": (weights @ values, "(B, heads, N, d_v)"),
            "output": (self.net.join(weights @ values), "(B, N, d)"),
        }
        yield (
            "shapes",
            {
                "of": list(steps),
                "is": [meaning for _, meaning in steps.values()],
                "here": [str(tuple(tensor.shape)) for tensor, _ in steps.values()],
            },
        )
        if self.lengths:
            yield "cost", {"tokens": self.lengths, **self.costs(data)}

    @torch.no_grad()
    def figures(self, data: RandomTokens, history: History) -> Iterator[tuple[str, Figure]]:
        """The weights of one head of one sequence, honest and of the swapped clip; the costs."""
        inputs = data.inputs.to(self.device)
        queries, keys, _ = self.net.project(inputs)
        weights = self.net.weights(queries, keys, self.mask(data.shape[1]))[0, 0].cpu().numpy()
        swapped = softmax_of_swapped_clip(self.scores(inputs))[0, 0]
        yield "weights", attention_weights({"softmax": weights, "bounds of a clip swapped": swapped})
        if self.lengths:
            found = self.costs(data)
            quantities = {
                label: {
                    name.removesuffix(f", {quantity}"): each for name, each in found.items() if name.endswith(quantity)
                }
                for quantity, label in (("seconds", "seconds"), ("bytes", "bytes of all tensors made, not the peak"))
            }
            yield "cost", cost(self.lengths, quantities)

    @examined_once
    def costs(self, data: RandomTokens) -> dict[str, list[float]]:
        """Seconds and bytes of one sequence of each length, written out and by torch's kernel."""
        return attention_cost.costs(self.net, [self.mask(length) for length in self.lengths], self.lengths)
