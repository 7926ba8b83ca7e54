"""Numbers as they are printed."""

import pytest

from lit_anndl.runtime.numbers import significant


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (12344.0, 4, "12340"),
        (1310.6, 3, "1310"),
        (0.098765, 3, "0.0988"),
        (2.0, 6, "2"),
        (-94.086, 4, "-94.09"),
        (1.5e9, 4, "1.5e+09"),
        (2926123.0, 7, "2926123"),
    ],
)
def test_digits_that_matter(value, digits, shown):
    assert significant(value, digits) == shown
