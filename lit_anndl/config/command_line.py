"""The command line of an exercise, by LightningCLI and jsonargparse."""

from collections.abc import Sequence
from functools import cache
from inspect import signature
from typing import Any

from jsonargparse.typing import PositiveInt
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from lit_anndl.callbacks.checkpoint import Checkpoint
from lit_anndl.callbacks.early_stopping import EarlyStopping
from lit_anndl.callbacks.weight_averaging import WeightAveraging
from lit_anndl.config.explain import EXPECTED

CALLBACKS: dict[str, type[Callback]] = {
    "checkpoint": Checkpoint,
    "early_stopping": EarlyStopping,
    "weight_averaging": WeightAveraging,
}
"""The callbacks that every exercise may be trained with, by the settings' name."""
_TRAINER_DEFAULTS = {
    "trainer.logger": True,
    "trainer.enable_progress_bar": True,
    "trainer.enable_checkpointing": True,
    "trainer.num_sanity_val_steps": 0,
    "trainer.log_every_n_steps": 1,
}


class CommandLine(LightningCLI):
    """LightningCLI as a parser: it reads the configuration and leaves it to `run` to build from it.

    Args:
        base: the configuration that the options are laid over, as read from YAML.
        options: `--key=value` words.
    """

    def __init__(self, base: dict[str, Any], options: Sequence[str]) -> None:
        self.base = base
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(options),
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what a run has beside model, data and trainer."""
        for name, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, name)
        for argument in ("monitor", "mode"):
            parser.link_arguments(f"checkpoint.{argument}", f"early_stopping.{argument}")
        parser.add_argument(
            "--threads", type=PositiveInt | None, help="CPU threads (default: one for small nets, else all)"
        )
        parser.add_argument("--resume", type=str | None, metavar="RUN_ID", help="go on with an interrupted run")
        parser.set_defaults(_TRAINER_DEFAULTS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the options on top of the base."""
        self.config = parser.parse_args(list(args or []), namespace=parser.parse_object(self.base))
        trainer, seed = self.config.trainer, self.config.seed_everything
        _refuse_unless(0 <= seed < 2**32, "seed_everything", seed)
        for name in ("max_epochs", "max_steps"):
            _refuse_unless(trainer[name] is None or trainer[name] >= -1, f"trainer.{name}", trainer[name])

    def _set_seed(self) -> None:
        """Leaves the random numbers alone: reading a configuration changes nothing, and `run` seeds."""

    def instantiate_classes(self) -> None:
        """Nothing yet: `run` seeds first."""


def _refuse_unless(fits: bool, key: str, value: Any) -> None:
    """Refuses a value that its type has let pass."""
    if not fits:
        raise ValueError(f"{key}: {value} was given, expected {EXPECTED[key]}")


@cache
def trainer_defaults() -> dict[str, Any]:
    """The Trainer's settings as they are when nobody gives others."""
    arguments = signature(Trainer).parameters.values()
    return {**{f"trainer.{each.name}": each.default for each in arguments}, **_TRAINER_DEFAULTS}
