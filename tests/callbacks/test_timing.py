"""Where a run's seconds go."""

from lit_anndl.callbacks.timing import Timing


def test_a_run_that_goes_on_alone_says_that_its_seconds_were_shared():
    begun, again = Timing(0.0), Timing(0.0)
    assert begun.tags() == {}
    begun.shared_by = 3
    again.load_state_dict(begun.state_dict())
    assert again.tags() == {"seconds_shared_by": "3"}
