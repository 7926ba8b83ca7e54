"""Commands that refuse their words: exit code 2, one line of what was given and what was expected, nothing else."""

import re

LONGEST = 300
"""Characters that a user reads, paths aside."""


def assert_refused(done: tuple[int, str, str], *parts: str, name: str = "fit") -> None:
    """Asserts that a command (exit code, output, errors) has refused its words in one line that has some parts."""
    code, out, err = done
    assert (code, out) == (2, "")
    assert err.startswith(f"{name}: ") and err.count("\n") == 1, err
    assert len(re.sub(r"/\S+", "", err)) <= LONGEST, err
    assert [part for part in parts if part not in err] == [], err
