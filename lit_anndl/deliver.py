"""Deliver what runs logged while their store was away: python -m lit_anndl.deliver."""

import argparse
import sys
from collections.abc import Sequence

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.interruption import Interruption, raising_on_signals
from lit_anndl.runtime.terminal import DONE, WRONG_INPUT


def main(argv: Sequence[str] = ()) -> int:
    """Opens the store of MLFLOW_TRACKING_URI, or the project's, and delivers; 2 if it is still away."""
    argparse.ArgumentParser(prog="python -m lit_anndl.deliver", description=__doc__).parse_args(argv)
    try:
        with raising_on_signals():
            return deliver()
    except InputError as error:
        print(f"deliver: {error}", file=sys.stderr)
        return WRONG_INPUT
    except Interruption as interruption:
        print(f"deliver: {interruption}; what is left waits on", file=sys.stderr)
        return interruption.exit_code


def deliver() -> int:
    """Delivers what waits for the store."""
    from lit_anndl.tracking.leftovers import tidy_up
    from lit_anndl.tracking.store import TrackingStore

    store = TrackingStore()
    print(f"{tidy_up(store)} runs delivered to {store.uri}")
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
