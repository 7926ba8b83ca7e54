"""An exercise back from its checkpoint alone, by Lightning's own `load_from_checkpoint`."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lit_anndl.data.streams import DRAWN
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.foreign import PACKAGES, foreign_class

_HYPER_PARAMETERS = {"_instantiator": "lightning.pytorch.cli.instantiate_module"}
"""How Lightning is to take the arguments that a checkpoint holds: as those of its command line."""


class Restorable(LightningModule):
    """A LightningModule whose checkpoints say what they are of, and suffice to have it back.

    Attributes:
        exercise: the name of the preset, by which a checkpoint is known.
        arguments: what the class was made with, as plain data; kept in checkpoints for `load_from_checkpoint`.
    """

    exercise: str = ""
    arguments: Mapping[str, Any] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes whose checkpoint it is, and how many processes share its epochs."""
        checkpoint["exercise"] = self.exercise
        checkpoint["processes"] = self.trainer.world_size
        checkpoint["drawn"] = DRAWN
        if self.arguments is not None:
            checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY] = {**_HYPER_PARAMETERS, **self.arguments}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the precision that each tensor was saved in."""
        match_precision(self, checkpoint["state_dict"])

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *arguments: Any, **options: Any) -> Any:
        """The exercise with a checkpoint's weights, `best.ckpt` for instance; no other arguments are needed.

        Raises:
            InputError: the checkpoint would build classes that are neither this project's nor a library's.
        """
        refuse_foreign_checkpoint(checkpoint_path)
        return super().load_from_checkpoint(checkpoint_path, *arguments, **{"weights_only": True, **options})


def refuse_foreign_checkpoint(path: Any) -> None:
    """Refuses a checkpoint that would build what is neither the project's nor a library's, before anything is imported.

    Raises:
        InputError: names it; or it holds no arguments to build an exercise with.
    """
    content: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    arguments = content.get("hyper_parameters", {})
    if "_instantiator" not in arguments:
        raise InputError(f"{path} does not say what its exercise was made with; load its run with lit_anndl.load")
    others = {key: value for key, value in arguments.items() if _HYPER_PARAMETERS.get(key) != value}
    if name := arguments["_instantiator"] if "_instantiator" in others else foreign_class(others):
        raise InputError(f"{path} names {name}; a checkpoint may build classes of {', '.join(PACKAGES)} only")


def match_precision(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Brings a module's tensors into the precision that each was saved in: loading alone would round to their own."""
    for name, tensor in module.state_dict(keep_vars=True).items():
        if name in state:
            tensor.data = tensor.data.to(state[name].dtype)
