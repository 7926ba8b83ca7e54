"""Numbers as they are printed."""


def significant(value: float, digits: int) -> str:
    """A number by its first digits, six at most; between 1e-4 and 1e6 without an exponent: 12340, not 1.234e+04."""
    return f"{float(f'{value:.{digits}g}'):g}"
