"""Fetch data sets into the data directory: `python scripts/fetch_data.py [mnist] [fashion]`.

For machines such as a cluster's login node, whose compute nodes reach no network but share the directory.
LIT_ANNDL_DATA says where it is; without it, it is in the user's cache.
"""

import argparse
import sys

from lit_anndl.data.digits.dataset_files import fetch
from lit_anndl.runtime.errors import InputError


def main() -> int:
    """Fetch the named data sets (mnist if none is named), print their folders, return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch data sets into the data directory.")
    parser.add_argument("datasets", nargs="*", default=["mnist"], help="mnist, fashion (default: mnist)")
    try:
        for name in parser.parse_args().datasets:
            print(fetch(name))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
