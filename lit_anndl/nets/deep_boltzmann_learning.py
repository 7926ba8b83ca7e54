"""How deep Boltzmann machines learn: layer by layer, then jointly (Salakhutdinov & Hinton, AISTATS 2009)."""

import torch
from torch import Tensor, nn

from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.contrastive_divergence import Statistics, leave_gradient, run_from_hidden
from lit_anndl.nets.deep_boltzmann import DBM, LayerAlone, States, stack


class DBMLearning(nn.Module):
    """The layers alone that a machine is stacked of, and the chains that its joint gradient is estimated by.

    A layer alone learns by contrastive divergence. Jointly, ⟨·⟩_data is taken from means of the hidden units that are
    inferred by mean field, ⟨·⟩_model from chains that go on from update to update (Tieleman, ICML 2008), whose h₁ is
    taken by its mean given the other layers; their states are buffers, so that they are saved with the weights. They
    begin at noise, and leave it for good when digits have become likelier: should noise come to hold most of the
    probability later, they do not tell, see `quiet_states`.

    Args:
        dbm: the machine; it is not kept.
        chains: how many there are.
        layer_steps: Gibbs steps of contrastive divergence.
        gibbs_steps: of the chains, per update.
        mean_field_steps: updates of the means.
        centred: whether the joint gradient is that of centred units.
        scale: standard deviation of the initial weights of the layers alone.

    Attributes:
        layers: v to h₁, and h₁ to h₂.

    Shapes: images v (B, visible), zeros and ones.
    """

    visible: Tensor
    first: Tensor
    second: Tensor

    def __init__(
        self,
        dbm: DBM,
        chains: int = 100,
        layer_steps: int = 1,
        gibbs_steps: int = 1,
        mean_field_steps: int = 5,
        centred: bool = False,
        scale: float = 0.01,
    ) -> None:
        super().__init__()
        visible, first, second = map(len, (dbm.visible_bias, dbm.first_bias, dbm.second_bias))
        self.layers = nn.ModuleList(
            [
                LayerAlone(visible, first, up=2, down=1, scale=scale),
                LayerAlone(first, second, up=1, down=2, scale=scale),
            ]
        )
        for name, units in zip(States._fields, (visible, first, second), strict=True):
            self.register_buffer(name, draw(torch.full((chains, units), 0.5)))
        self.layer_steps, self.gibbs_steps, self.mean_field_steps = layer_steps, gibbs_steps, mean_field_steps
        self.centred = centred

    def layer(self, k: int) -> LayerAlone:
        """Layer k alone, counted from 1."""
        layer: LayerAlone = self.layers[k - 1]  # type: ignore[assignment]  # of a ModuleList
        return layer

    def below(self, k: int, v: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What layer k is to learn: the images, or states of h₁ drawn from what the first layer makes of them."""
        return v if k == 1 else draw(self.layer(1).hidden_probability(v), generator)

    @torch.no_grad()
    def leave_layer_gradient(self, k: int, v: Tensor) -> Statistics:
        """Leaves the gradient of layer k alone in its parameters' `grad`; returns the data's statistics."""
        layer, below = self.layer(k), self.below(k, v)
        data = Statistics(below, layer.hidden_probability(below))
        model = run_from_hidden(layer, draw(data.hidden), self.layer_steps)
        leave_gradient(layer, data, model)
        return data

    def stack(self, dbm: DBM) -> None:
        """Makes the machine of the layers alone."""
        stack(self.layer(1), self.layer(2), dbm)

    @torch.no_grad()
    def leave_joint_gradient(self, dbm: DBM, v: Tensor) -> Statistics:
        """Leaves the machine's gradient in its parameters' `grad`, and lets the chains go on; returns v and μ₁."""
        means = dbm.mean_field(v, self.mean_field_steps)
        states = States(self.visible, self.first, self.second)
        for _ in range(self.gibbs_steps):
            states = dbm.gibbs_step(states)
        self._keep(states)
        # h₁ by its mean given v and h₂ leaves the same gradient on average with less noise
        model = states._replace(first=dbm.first_probability(states.visible, states.second))
        dbm.leave_gradient(means, model, self.centred)
        return Statistics(means.visible, means.first)

    def flops_of_joint_update(self, images: int) -> int:
        """Floating-point operations of the products with both matrices: inference, chains, gradient."""
        chains = len(self.visible)
        lower = 2 * images + chains * (2 * self.gibbs_steps + 2)
        upper = images * (2 * self.mean_field_steps + 2) + chains * (2 * self.gibbs_steps + 2)
        return 2 * (lower * self.layer(1).weight.numel() + upper * self.layer(2).weight.numel())

    def _keep(self, states: States) -> None:
        for buffer, state in zip((self.visible, self.first, self.second), states, strict=True):
            buffer.copy_(state)
