"""A bar for the terminal: how far a study is, whoever works on it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm

from lit_anndl.runtime.numbers import significant
from lit_anndl.studies.background import in_background
from lit_anndl.studies.database import UNREACHABLE
from lit_anndl.studies.standing import done_seeds
from lit_anndl.studies.study import OpenStudy

REFRESH_SECONDS = 1.0


@contextmanager
def progress(opened: OpenStudy) -> Iterator[None]:
    """Shows a bar while the work goes on; silent where there is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with in_background(partial(show, opened), "progress"):
        yield


def show(opened: OpenStudy, done: threading.Event) -> None:
    """Draws the bar again and again."""
    budget, seeds = opened.definition.budget, len(opened.definition.seeds)
    with tqdm(total=budget and budget * seeds, unit="run", leave=False) as bar:
        while not done.wait(REFRESH_SECONDS):
            try:
                trials, counts, best = opened.trials(), opened.counts(), opened.best()
            except UNREACHABLE:
                continue
            bar.n = sum(seeds if t.state.is_finished() else len(done_seeds(t)) for t in trials)
            states = {"running": counts["RUNNING"], "pruned": counts["PRUNED"], "failed": counts["FAIL"]}
            shown = {name: str(count) for name, count in states.items() if count}
            if best:
                shown[opened.definition.metric] = significant(float(best.value or 0.0), 4)
            bar.set_postfix(shown)
