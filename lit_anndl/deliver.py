"""Deliver what runs logged while their store was away: python -m lit_anndl.deliver."""

import sys

from lit_anndl.runtime.errors import InputError


def main() -> int:
    """Opens the store of MLFLOW_TRACKING_URI, or the project's, and delivers; 2 if it is still away."""
    from lit_anndl.tracking.leftovers import tidy_up
    from lit_anndl.tracking.store import TrackingStore

    try:
        store = TrackingStore()
        delivered = tidy_up(store)
    except InputError as error:
        print(f"deliver: {error}", file=sys.stderr)
        return 2
    print(f"{delivered} runs delivered to {store.uri}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
