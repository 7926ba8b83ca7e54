"""What all commands have in common at a terminal: silence of the libraries, and a word on what takes a while."""

import logging
import os
import sys
import warnings

_STDERR = 2


def quieten() -> None:
    """Leaves the terminal to what the user asked for."""
    warnings.filterwarnings("ignore")
    for library in ("lightning.pytorch", "lightning.fabric", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its errors reach the tracker, which tells them


def announce(message: str) -> None:
    """Says at once what takes a while, to who sits at a terminal; logs and pipes get results alone."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr, flush=True)


def acknowledge(message: str) -> None:
    """Tells who sits at a terminal that a signal was heard; safe within a handler."""
    if os.isatty(_STDERR):
        os.write(_STDERR, f"\n{message}\n".encode())
