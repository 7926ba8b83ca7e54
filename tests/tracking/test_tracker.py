"""Several processes at one store: what one is just ending is no leftover to another; bad leftovers harm nothing."""

import threading

import pytest

from lit_anndl.runtime.errors import InputError
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.tracker import Tracker
from tests.support.processes import deliver


@pytest.fixture
def tracker() -> Tracker:
    """A run that has begun."""
    tracker = Tracker("surface", TrackingStore())
    tracker.start("begun", "seed_everything: 0", {}, {})
    return tracker


def test_a_run_that_is_just_ending_is_ended_once(tracker, client, store_uri, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()
    terminate = tracker.store.client.set_terminated

    def slowly(*arguments: str) -> None:
        reached.set()
        assert go_on.wait(60)
        terminate(*arguments)

    monkeypatch.setattr(tracker.store.client, "set_terminated", slowly)
    ending = threading.Thread(target=tracker.close, args=("FINISHED", {"note": "whole"}))
    ending.start()
    assert reached.wait(30)
    code, out, _ = deliver(store_uri)
    go_on.set()
    ending.join(30)
    assert code == 0 and out.startswith("0 runs delivered")
    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.data.tags["note"]) == ("FINISHED", "whole")


@pytest.mark.parametrize("how", ["deleted in the UI", "torn facts", "torn metrics", "configuration gone"])
def test_a_bad_leftover_stops_no_other_command(how, tracker, client, monkeypatch):
    client.set_tag(tracker.run_id, "process", "1@1")  # its process has died
    outbox = tracker.store.outbox(tracker.run_id)
    outbox.note(process="1@1", parameters={"seed": 1} if how == "configuration gone" else {})
    if how == "deleted in the UI":
        client.delete_run(tracker.run_id)
    elif how == "torn facts":
        (outbox.folder / "facts.json").write_text("")
    elif how == "torn metrics":
        (outbox.folder / "metrics.jsonl").write_text(
            '["train/m["train/mse", 0.5, 1000, 3]\n["train/mse", 0.25, 1000, 4]\n'
        )
    else:
        (tracker.checkpoint_directory().parent / "config.yaml").unlink()
    open_store()
    if how == "torn metrics":
        assert client.get_run(tracker.run_id).data.metrics == {"train/mse": 0.25}
    assert not outbox.folder.exists()


def test_a_run_that_was_believed_dead_and_lives_is_running_again(tracker, client):
    client.set_tag(tracker.run_id, "error", "the process died")
    client.set_terminated(tracker.run_id, "KILLED")
    tracker.deliver()
    assert client.get_run(tracker.run_id).info.status == "RUNNING"
    tracker.close("FINISHED")
    tracker.deliver()
    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.data.tags["error"]) == ("FINISHED", "")


def test_of_two_that_resume_one_is_refused(tracker, client):
    with pytest.raises(InputError, match="still running"):
        Tracker("surface", TrackingStore()).resume(client.get_run(tracker.run_id), "seed_everything: 0", {}, {})
    tracker.close("KILLED")
    again = Tracker("surface", TrackingStore())
    again.resume(client.get_run(tracker.run_id), "seed_everything: 0", {}, {})
    again.close("FINISHED")
    assert client.get_run(tracker.run_id).info.status == "FINISHED"


def test_tables_are_those_of_mlflow(command):
    run = command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    table = command.client.load_table(run.info.experiment_id, "tables/parameters.json", [run.info.run_id])
    assert list(table["layer"])[-1] == "total"
