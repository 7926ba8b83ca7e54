"""What the parts of a run refuse, as one InputError each."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException

from lit_anndl.config.configuration import Configuration
from lit_anndl.runtime.errors import InputError

_TOO_LARGE = re.compile(r"allocate \d\S* \w+|MemoryError|\w*[Oo]verflow\w*")
"""What torch, NumPy and Python say of it."""
_OF_OPTIMIZER = re.compile(r"Invalid (learning rate|epsilon|beta|\w+)(?: value| parameter at index \d)?: (\S+)")
"""What torch's optimizers say of a number that is out of bounds."""
_ARGUMENTS = {"learning rate": "lr", "epsilon": "eps", "beta": "betas"}
"""What torch calls otherwise than the argument is called."""
_EXPECTED = {"beta": "numbers from 0 to below 1", "rho": "a number from 0 to 1"}


@contextmanager
def refusing(configuration: Configuration | None = None) -> Iterator[None]:
    """Within it parts are built: what they refuse, and sizes that no memory holds, are the user's to mend.

    Args:
        configuration: what they are built by, where optimizers are among them.
    """
    try:
        yield
    except (MisconfigurationException, ValueError, ArgumentError) as error:
        raise _input_error(error, configuration) from error
    except (MemoryError, OverflowError, RuntimeError) as error:  # RuntimeError: torch's
        if not _TOO_LARGE.search(repr(error)):
            raise
        raise _input_error(error) from error


def _input_error(error: BaseException, configuration: Configuration | None = None) -> InputError:
    """The InputError that a part raised, dug out of what jsonargparse wraps around it; or else the error as one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return cause
        cause = cause.__cause__ or cause.__context__
    if found := _OF_OPTIMIZER.fullmatch(str(error)):
        expected = _EXPECTED.get(found[1], "a number ≥ 0")
        settings = configuration.settings() if configuration else {}
        key = _option(_ARGUMENTS.get(found[1], found[1]), found[2], settings)
        return InputError(f"{key}: {found[2]} was given, expected {expected}")
    if found := _TOO_LARGE.search(repr(error)):
        return InputError(f"these sizes do not fit into memory ({found[0]}); expected smaller ones")
    return InputError(" ".join(str(error).split()))


def _option(argument: str, given: str, settings: Mapping[str, Any]) -> str:
    """The option of an optimizer's argument; of several optimizers, the first that was given this for it."""
    for key, value in settings.items():
        values = value if isinstance(value, list) else [value]
        if key.endswith(f"optimizer.{argument}") and given in map(str, values):
            return key
    return f"model.optimizer.{argument}"
