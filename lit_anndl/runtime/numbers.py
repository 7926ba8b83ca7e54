"""Numbers as they are printed."""


def significant(value: float, digits: int) -> str:
    """A number by its first digits; from 1e-4 to six digits, or as many, without an exponent: 12340, not 1.234e+04."""
    return f"{float(f'{value:.{digits}g}'):.{max(digits, 6)}g}"
