"""The parameters of a net, layer by layer."""

from torch import nn

from lit_anndl.runtime.records import Table


def parameters_per_layer(net: nn.Module) -> Table:
    """The layers that own parameters, in order: name, type and number of trainable parameters."""
    layers = [
        (name, type(layer).__name__, sum(p.numel() for p in own if p.requires_grad))
        for name, layer in net.named_modules()
        if (own := list(layer.parameters(recurse=False)))
    ]
    total = ("total", "", sum(count for *_, count in layers))
    names, types, counts = zip(*layers, total, strict=True)
    return {"layer": list(names), "type": list(types), "parameters": list(counts)}
