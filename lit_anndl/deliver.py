"""Deliver what runs logged while their store was away: python -m lit_anndl.deliver."""

import sys
from collections.abc import Sequence

from lit_anndl.runtime.command import DONE, Ending, OneLineParser, run_command
from lit_anndl.runtime.interruption import Interruption


def main(argv: Sequence[str] = ()) -> int:
    """Opens the store of MLFLOW_TRACKING_URI, or the project's, and delivers; 2 if it is still away."""
    return run_command("deliver", lambda: _deliver(argv), _said)


def _said(ending: Ending) -> str:
    return f"{ending}; what is left waits on" if isinstance(ending, Interruption) else str(ending)


def _deliver(argv: Sequence[str]) -> int:
    """Delivers what waits for the store."""
    OneLineParser(prog="python -m lit_anndl.deliver", description=__doc__).parse(argv)
    from lit_anndl.tracking.leftovers import tidy_up
    from lit_anndl.tracking.store import TrackingStore

    store = TrackingStore()
    print(f"{tidy_up(store)} runs delivered to {store.uri}")
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
