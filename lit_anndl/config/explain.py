"""jsonargparse's page-long errors as one line: what was given, what was expected, the nearest valid name."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

_LONGEST = 280
_EXPECTATIONS = {
    "PositiveInt": "a whole number > 0",
    "NonNegativeInt": "a whole number ≥ 0",
    "NonNegativeFloat": "a number ≥ 0",
    "ClosedUnitInterval": "a number from 0 to 1",
    "OpenUnitInterval": "a number between 0 and 1",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "'min', 'max'": "min or max",
    "str": "text",
    "list": "a list in brackets",
    "import path": "a class",
}
EXPECTED = {
    "seed_everything": f"a whole number from 0 to {2**32 - 1}",
    "trainer.max_epochs": "a whole number ≥ 0, or -1 for no end",
    "trainer.max_steps": "a whole number ≥ 0, or -1 for no end",
}
"""Of settings whose types, Lightning's own, let more pass than they take."""

_SYNONYMS = {
    "learning_rate": "lr",
    "epochs": "max_epochs",
    "batch": "batch_size",
    "seed": "seed_everything",
    "optim": "optimizer",
    "device": "accelerator",
}
"""Other names that a setting goes by."""
_MOST_MEANT = 3
"""Settings that a name may stand for in a suggestion."""


def explain(error: str, keys: Iterable[str], classes: Iterable[str] = ()) -> str:
    """One line for the text of a parser's error.

    Args:
        error: the text.
        keys: valid keys, to suggest the nearest; with their values, a class that lacks an argument is named.
        classes: names of optimizers, likewise.
    """
    path = ".".join(re.findall(r'Parser key "([^"]+)"', error))
    if option := re.search(r"Option '([^']+)' is not accepted", error):
        return unknown_key(f"{path}.{option[1]}".lstrip("."), keys)
    if option := re.search(r"Group '([^']+)' does not accept option '([^']+)'", error):
        return unknown_key(f"{option[1]}.{option[2]}", keys)
    if unrecognized := re.search(r"unrecognized arguments: --([^\s=]*)", error):
        return unknown_key(unrecognized[1], keys)
    if key := re.search(r"Key '([^']+)' is not expected|[Nn]o action for key [\"']([^\"']+)", error):
        return unknown_key(key[1] or key[2], keys)
    if missing := re.search(r"arguments are required: (\w+)", error):
        return f"{path}.{missing[1]}: a value is expected, none was given"
    if "Multiple subclasses with name ReduceLROnPlateau" in error:  # torch's and Lightning's
        return f"{path}: ReduceLROnPlateau was given, expected a schedule without a metric (CosineAnnealingLR)"
    name = re.search(r"Expected a dot import path string: (\w[\w.]*)", error)
    if name and not re.search(r"Expected a <class '(int|float|bool)'>", error):
        return (
            f"{path}: there is no class {name[1]}{suggestion(name[1], classes if path.endswith('optimizer') else ())}"
        )
    return _invalid_value(path, error)


_VALUES = (
    r"val='([^']*)'\)\s*$",
    r"Given value: (?!NestedArg)(.*?)(?:\. Got value.*)?$",
    r"Got value: (.*)$",
    r"Not of type \w+: invalid literal .*: '(.*)'$",
    r"Not of type \w+: (.*) does not conform",
    r"NestedArg\(key='[^']*', val=(.*)\)\s*$",  # a list, for instance
    r"argument must be .*, not '(\w+)'$",  # of which only the type is said
)
"""Where an error says which value was given, the surest place first."""
_TYPES = r"Not of type (\w+)|Expected a <class '(\w+)'>|Expected a typing.Literal\[(.*?)\]|Expected an (import path) or"
"""Where it says what was expected."""

_WRAPPING = "Does not validate|Problem with|Expected a path"
"""How reasons begin that only lead to others."""


def _invalid_value(path: str, error: str) -> str:
    """The line for a value that does not fit its key."""
    given = next((found[-1] for place in _VALUES if (found := re.findall(place, error, re.MULTILINE))), None)
    types = re.findall(_TYPES, error)
    expected = dict.fromkeys(_EXPECTATIONS.get(name, name) for name in map("".join, types) if name != "NoneType")
    if path and given is not None and expected:
        return f"{path}: {given or 'nothing'} was given, expected {EXPECTED.get(path, ' or '.join(expected))}"
    reasons = [reason for reason in re.findall(r"^\s*- (.+)$", error, re.MULTILINE) if not re.match(_WRAPPING, reason)]
    line = f"{path}: {reasons[0]}" if path and reasons else error
    return re.sub(r"\s+", " ", line).strip()[:_LONGEST]


def unknown_key(key: str, keys: Iterable[str]) -> str:
    """The line for a key that does not exist.

    Suggested is a neighbour where the key's parent exists, or else what has this name, or means it, anywhere.
    """
    values = keys if isinstance(keys, Mapping) else {}
    keys = list(keys)
    parent, _, name = key.rpartition(".")
    siblings = [other.rpartition(".")[2] for other in keys if parent and other.rpartition(".")[0] == parent]
    near = suggestion(name, siblings, prefix=f"{parent}.")
    meant = [other for other in keys if other.rpartition(".")[2] == _SYNONYMS.get(name, name)]
    if not near and meant:
        near = f"; did you mean {' or '.join(meant[:_MOST_MEANT])}?"
    if not near and not siblings:
        near = suggestion(key, keys)
    if parent.count(".") and parent in values:  # model.optimizer: SGD
        return f"{key}: {values[parent]} has no {name}{near}"
    return f"{key}: there is no such setting{near}"


def suggestion(word: str, candidates: Iterable[str], prefix: str = "") -> str:
    """The nearest candidate as a question, capitals aside, or nothing."""
    known = {candidate.casefold(): candidate for candidate in candidates}
    nearest = get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{known[nearest[0]]}?" if nearest else ""
