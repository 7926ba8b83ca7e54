"""How many chains of a Boltzmann machine memory holds."""

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.memory_limits import available_bytes

_BYTES_PER_UNIT = 4 * 6
"""Of a chain: states, inputs, probabilities and random numbers, in single precision."""


def refuse_chains(option: str, chains: int, units: int) -> None:
    """Refuses more chains of a machine of so many units than memory holds.

    Raises:
        InputError: says how many fit.
    """
    free = available_bytes() if chains else None
    if free is not None and (fit := free // (_BYTES_PER_UNIT * units)) < chains:
        raise InputError(f"model.{option} {chains} were given, but {fit} fit into memory; expected fewer")
