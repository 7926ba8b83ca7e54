"""How well classes are told."""

from torch import Tensor
from torch.nn.functional import cross_entropy


def loss_and_accuracy(scores: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> dict[str, Tensor]:
    """The mean cross-entropy, nats, and the share of examples whose class scores highest.

    Args:
        scores: logits (B, classes).
        labels: of the true classes (B,).
        label_smoothing: ε, for (1 - ε) of the true class and ε of all alike in place of the labels.
    """
    return {
        "loss": cross_entropy(scores, labels, label_smoothing=label_smoothing),
        "accuracy": (scores.argmax(dim=1) == labels).float().mean(),
    }
