"""Vision transformers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_anndl.nets.dropout import Dropout
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.patch_embedding import PatchEmbedding, refuse_nonpositive
from lit_anndl.nets.self_attention import SelfAttention


class Block(nn.Module):
    """Attention and a perceptron beside shortcuts: z ← z + Attention(LN(z)), then z ← z + MLP(LN(z)).

    What is normalised before, rather than after, leaves the shortcuts clean (Xiong et al., On layer normalization in
    the transformer architecture, ICML 2020).

    Args:
        dim: d, units of a token.
        heads: of attention.
        mlp_dim: hidden units of the perceptron, by GELU.
        dropout: probability of zeroing a unit of what attention or the perceptron adds, or a hidden one.

    Shapes: (B, N, d) → (B, N, d).

    Raises:
        ValueError: d cannot be divided by the heads.
    """

    def __init__(self, dim: int, heads: int, mlp_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = MLP((dim, mlp_dim, dim), "gelu", dropout=dropout)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """The tokens after the block."""
        tokens = tokens + self.dropout(self.attention.fused(self.attention_norm(tokens)))
        output: Tensor = tokens + self.dropout(self.mlp(self.mlp_norm(tokens)))
        return output

    def attention_weights(self, tokens: Tensor) -> Tensor:
        """How much each token attends to each other, which the fused kernel keeps to itself: → (B, heads, N, N)."""
        queries, keys, _ = self.attention.project(self.attention_norm(tokens))
        return self.attention.weights(queries, keys)


class VisionTransformer(nn.Module):
    """z⁰ = tokens of the class and of the patches, zˡ = Blockˡ(zˡ⁻¹), logits = MLP(zᴸ of the class).

    Its parameters, for N patches of P² pixels, m = mlp_dim, K classes and no stem: (P² + 1) d for the patches,
    (N + 2) d for class and positions, 4 d² + 2 m d + m + 5 d for each block, (d + 1) m + (m + 1) K for the logits.
    Source: Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, whose logits are those of LN(zᴸ); the course
    has the perceptron without it.

    Args:
        dim: d, units of a token.
        depth: L, blocks.
        heads: of attention, d / heads units each.
        mlp_dim: m, hidden units of the perceptrons.
        patch_size: P, pixels of a patch's side.
        image_size: pixels of an image's side.
        classes: number of outputs.
        dropout: probability of zeroing a unit of the first tokens, and in the blocks.
        stem: channels of convolutions before the patches, as in `PatchEmbedding`.

    Shapes: (B, 1, image_size, image_size) → logits (B, classes).

    Raises:
        ValueError: a size is not positive, patches do not cover the image, d cannot be divided by the heads.

    >>> net = VisionTransformer(dim=64, depth=6, heads=8, mlp_dim=128, patch_size=7)
    >>> sum(parameter.numel() for parameter in net.parameters())
    213258
    >>> net(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        dim: int = 64,
        depth: int = 6,
        heads: int = 8,
        mlp_dim: int = 128,
        patch_size: int = 7,
        *,
        image_size: int = 28,
        classes: int = 10,
        dropout: float = 0.0,
        stem: Sequence[int] = (),
    ) -> None:
        super().__init__()
        refuse_nonpositive(dim=dim, depth=depth, heads=heads, mlp_dim=mlp_dim, classes=classes)
        self.embedding = PatchEmbedding(dim, patch_size, image_size, stem)
        self.dropout = Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp_dim, dropout) for _ in range(depth)))
        self.head = MLP((dim, mlp_dim, classes), "gelu")

    def __call__(self, images: Tensor) -> Tensor:
        """Class scores (logits) of a batch of images."""
        logits: Tensor = super().__call__(images)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        tokens = self.blocks(self.dropout(self.embedding(images)))  # (B, 1 + N, d)
        return self.head(tokens[:, 0])

    def attention_maps(self, images: Tensor) -> Tensor:
        """What attention is paid in all blocks: → (L, B, heads, 1 + N, 1 + N), queries in rows, which sum to 1.

        It goes through the blocks once more, and writes out what `forward` never holds.
        """
        tokens, maps = self.dropout(self.embedding(images)), []
        for block in self.blocks:
            assert isinstance(block, Block)
            maps.append(block.attention_weights(tokens))
            tokens = block(tokens)
        return torch.stack(maps)
