"""Where a run's seconds go."""

import time

import pytest

from lit_anndl.callbacks.timing import Timing
from lit_anndl.runtime.records import SHARED_BY


def test_a_run_that_goes_on_alone_says_that_its_seconds_were_shared():
    begun, again = Timing(0.0), Timing(0.0)
    assert SHARED_BY not in begun.metrics()
    begun.shared_by = 3
    again.load_state_dict(begun.state_dict())
    assert again.metrics()[SHARED_BY] == 3


def test_the_way_to_the_first_step_is_counted_by_the_clock_that_is_given():
    timing = Timing(time.time() - 100)
    clock = iter([20.0, 21.5])
    timing.count_by(lambda: next(clock))
    timing.on_train_batch_end(None)
    assert timing.metrics()["seconds/first_step"] == pytest.approx(101.5, abs=0.5)
