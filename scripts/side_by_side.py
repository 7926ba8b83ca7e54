"""Seconds of contenders as a table: times, and ratios within a round."""

from collections.abc import Sequence
from statistics import median


def print_heading(title: str, names: Sequence[str]) -> None:
    """The columns: milliseconds of each contender, then how many times ours each other takes."""
    others = [f"{name}/ours" for name in names[1:]]
    lean = ["ours/lean"] if "lean" in names else []
    print(f"{title:20}" + "".join(f"{column:>14}" for column in [*names, *lean, *others]))


def print_row(label: str, names: Sequence[str], rounds: Sequence[dict[str, float]]) -> None:
    """Medians over rounds, of the times and of the ratios within a round."""
    times = [f"{1e3 * median(one[name] for one in rounds):.2f}" for name in names]
    ratios = [f"{median(one['ours'] / one['lean'] for one in rounds):.3f}"] if "lean" in names else []
    ratios += [f"{median(one[name] / one['ours'] for one in rounds):.2f}" for name in names[1:]]
    print(f"{label:20}" + "".join(f"{column:>14}" for column in times + ratios), flush=True)
