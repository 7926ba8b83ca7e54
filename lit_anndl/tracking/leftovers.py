"""What processes that died have left: runs that say RUNNING, and records that have not reached the store."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_anndl.runtime.liveness import has_died, is_own
from lit_anndl.tracking import delivery
from lit_anndl.tracking.outbox import Outbox
from lit_anndl.tracking.ownership import taken_over
from lit_anndl.tracking.relocation import follow_move
from lit_anndl.tracking.store import TrackingStore

_log = logging.getLogger(__name__)


def open_store() -> TrackingStore:
    """The tracking store, tidied up.

    Raises:
        InputError: it cannot be reached.
    """
    store = TrackingStore()
    tidy_up(store)
    return store


def tidy_up(store: TrackingStore) -> int:
    """Marks runs of dead processes KILLED and delivers what waits; returns how many runs were delivered.

    Raises:
        Unreachable: the store is away.
    """
    with store.translate_errors(), store.changing():
        if store.database:
            follow_move(store.client, store.database)
        for folder in store.outboxes().glob("*/"):
            _set_aside_if_unreadable(store, folder.name)
        _mark_dead_runs(store)
        return _deliver_leftovers(store)


def _deliver_leftovers(store: TrackingStore) -> int:
    """Delivers what waits; returns of how many runs."""
    delivered = 0
    for folder in store.outboxes().glob("*/"):
        try:
            delivered += _finish_leftover(store, folder.name)
        except Exception as error:  # whatever is wrong with it: it alone waits on
            _log.warning("what run %s left in %s waits on: %s", folder.name, folder, store.redact(error))
    return delivered


def _set_aside_if_unreadable(store: TrackingStore, run_id: str) -> None:
    """Moves an outbox out of the way whose facts are damaged, for somebody to look at."""
    outbox = store.outbox(run_id)
    try:
        outbox.metadata()
    except ValueError as error:
        place = store.outboxes().with_name("spool_set_aside") / f"{run_id}-{time.time_ns()}"
        place.parent.mkdir(exist_ok=True)
        outbox.folder.rename(place)
        _log.warning("what run %s left is damaged (%s), and set aside in %s", run_id, store.redact(error), place)


def _mark_dead_runs(store: TrackingStore) -> None:
    """Notes of runs whose process has died that they are KILLED."""
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    for run in store.client.search_runs(experiments, "attributes.status = 'RUNNING'"):
        outbox = store.outbox(run.info.run_id)
        if has_died(run.data.tags) and "status" not in outbox.metadata():
            process = {key: run.data.tags[key] for key in ("host", "process")}  # whose death it is
            outbox.note(store=store.uri, status="KILLED", tags={"error": "the process died"}, **process)


def _finish_leftover(store: TrackingStore, run_id: str) -> bool:
    """Delivers the outbox of a run of this store that has ended, without what arrived before its process died."""
    outbox = store.outbox(run_id)
    facts = outbox.metadata()
    if not facts:  # its process died while it made the folder
        outbox.remove()
        return False
    if not _is_of(store, facts):
        return False
    run = store.find(run_id)
    if run is None or taken_over(run.data.tags, facts):
        if "store" in facts and has_died(facts):  # or it is just about to take the run
            outbox.remove()
        return False
    if "process" in facts and not has_died({**facts, **run.data.tags}) and not is_own(facts):
        return False  # it is just ending the run, or tries again later
    status = facts.get("status", run.info.status)
    if status == "RUNNING":
        return False
    _deliver_rest(store, run_id, outbox)
    delivery.finish(store.client, run_id, outbox, status, facts.get("tags", {}))
    return True


def _deliver_rest(store: TrackingStore, run_id: str, outbox: Outbox) -> None:
    """Loads the metrics of an outbox that the store has not got."""
    outbox.load()
    run = store.client.get_run(run_id)
    known = {(name, epoch) for name, pairs in store.recorded(run).items() for epoch, _ in pairs}
    outbox.keep(lambda entry: (entry.name, entry.epoch) not in known)


def _is_of(store: TrackingStore, facts: Mapping[str, Any]) -> bool:
    """Whether the run of an outbox is in this store, which may have been moved together with its outboxes."""
    noted = facts.get("store", store.uri)
    return noted == store.uri or (store.database is not None and Path(noted).name == store.database.name)
