"""Two processes at one store: what one is just ending is no leftover to the other."""

import threading

from lit_anndl.tracking import Store, Tracker


def test_a_run_that_is_just_ending_is_ended_once(client, monkeypatch):
    tracker = Tracker("surface", Store())
    tracker.start("ending", "seed_everything: 0", {}, {})
    reached, go_on = threading.Event(), threading.Event()
    terminate = tracker.store.client.set_terminated

    def slowly(*arguments: str) -> None:
        reached.set()
        assert go_on.wait(30)
        terminate(*arguments)

    monkeypatch.setattr(tracker.store.client, "set_terminated", slowly)
    ending = threading.Thread(target=tracker.close, args=("FINISHED", {"note": "whole"}))
    ending.start()
    assert reached.wait(30)
    opened: list[Store] = []
    opening = threading.Thread(target=lambda: opened.append(Store()))
    opening.start()
    opening.join(1)
    go_on.set()
    ending.join(30)
    opening.join(30)
    assert opened[0].delivered == 0
    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.data.tags["note"]) == ("FINISHED", "whole")
