"""Five functions on the unit square that regression methods are tried on.

Source: J.-N. Hwang, S.-R. Lay, M. Maechler, R. D. Martin & J. Schimert, Regression modeling in back-propagation and
projection pursuit learning, IEEE Transactions on Neural Networks 5(3), 1994. In the names of the formulas below,
u = x₁ - ½, v = x₂ - ½, r² = u² + v². Shapes: points (…, 2) → (…).
"""

import math

import torch
from torch import Tensor


def additive(points: Tensor) -> Tensor:
    """1.3356 [1.5 (1 - x₁) + e^(2x₁ - 1) sin(3π (x₁ - 0.6)²) + e^(3(x₂ - 0.5)) sin(4π (x₂ - 0.9)²)]."""
    x1, x2 = points.unbind(-1)
    first = (2 * x1 - 1).exp() * torch.sin(3 * math.pi * (x1 - 0.6).square())
    second = (3 * (x2 - 0.5)).exp() * torch.sin(4 * math.pi * (x2 - 0.9).square())
    return 1.3356 * (1.5 * (1 - x1) + first + second)


def harmonic(points: Tensor) -> Tensor:
    """42.659 [0.1 + u (0.05 + u⁴ - 10 u² v² + 5 v⁴)]."""
    u, v = (points - 0.5).unbind(-1)
    return 42.659 * (0.1 + u * (0.05 + u**4 - 10 * u**2 * v**2 + 5 * v**4))


def radial(points: Tensor) -> Tensor:
    """24.234 r² (0.75 - r²)."""
    squared_radius = (points - 0.5).square().sum(-1)
    return 24.234 * squared_radius * (0.75 - squared_radius)


def simple_interaction(points: Tensor) -> Tensor:
    """10.391 [(x₁ - 0.4)(x₂ - 0.6) + 0.36]."""
    x1, x2 = points.unbind(-1)
    return 10.391 * ((x1 - 0.4) * (x2 - 0.6) + 0.36)


def complicated_interaction(points: Tensor) -> Tensor:
    """1.9 [1.35 + e^x₁ sin(13 (x₁ - 0.6)²) e^(-x₂) sin(7 x₂)]."""
    x1, x2 = points.unbind(-1)
    return 1.9 * (1.35 + x1.exp() * torch.sin(13 * (x1 - 0.6).square()) * (-x2).exp() * torch.sin(7 * x2))


FUNCTIONS = (additive, harmonic, radial, simple_interaction, complicated_interaction)


def five_functions(points: Tensor) -> Tensor:
    """T1 … T5 at points of the unit square: (n, 2) → (n, 5)."""
    return torch.stack([function(points) for function in FUNCTIONS], dim=-1)
