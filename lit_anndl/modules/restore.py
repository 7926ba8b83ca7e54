"""An exercise back from its checkpoint alone, by Lightning's own `load_from_checkpoint`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.foreign import PACKAGES, foreign_class

HYPER_PARAMETERS = {"_instantiator": "lightning.pytorch.cli.instantiate_module"}
"""How Lightning is to take the arguments that a checkpoint holds: as those of its command line."""


def refuse_foreign_checkpoint(path: Any) -> None:
    """Refuses a checkpoint that would build what is neither the project's nor a library's, before anything is imported.

    Raises:
        InputError: names it; or it holds no arguments to build an exercise with.
    """
    content: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    arguments = content.get("hyper_parameters", {})
    if "_instantiator" not in arguments:
        raise InputError(f"{path} does not say what its exercise was made with; load its run with lit_anndl.load")
    others = {key: value for key, value in arguments.items() if HYPER_PARAMETERS.get(key) != value}
    if name := arguments["_instantiator"] if "_instantiator" in others else foreign_class(others):
        raise InputError(f"{path} names {name}; a checkpoint may build classes of {', '.join(PACKAGES)} only")


def match_precision(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Brings a module's tensors into the precision that each was saved in: loading alone would round to their own."""
    for name, tensor in module.state_dict(keep_vars=True).items():
        if name in state:
            tensor.data = tensor.data.to(state[name].dtype)
