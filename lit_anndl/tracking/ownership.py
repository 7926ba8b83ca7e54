"""Whose a run is: a process that was believed dead may find that another has gone on with its run."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lit_anndl.runtime.errors import TakenOver
from lit_anndl.runtime.liveness import process_tags
from lit_anndl.tracking.outbox import Outbox

_TRUSTED_SECONDS = 5.0
"""For how long the store's last answer is believed; the thread that delivers asks as often."""


class Ownership:
    """This process' claim to a run. Once lost, it stays lost.

    Args:
        client: of the store.
        run_id: which run.
        outbox: where its records wait, and the process that writes them is noted.
    """

    def __init__(self, client: MlflowClient, run_id: str, outbox: Outbox) -> None:
        self.is_lost = False
        self._client = client
        self._run_id = run_id
        self._outbox = outbox
        self._asked = 0.0

    def is_lost_here(self) -> bool:
        """Whether the run is known to be another process' by now, without asking the store."""
        facts = self._outbox.metadata()
        self.is_lost = self.is_lost or (bool(facts) and taken_over(facts, process_tags()))
        return self.is_lost

    def ask(self) -> bool:
        """Asks the store too whether another process has taken the run; one that has only ended it is corrected.

        Raises:
            MlflowException, OSError: the store is away, and no other process of this machine has taken the run.
        """
        if not self.is_lost_here():
            now = time.time()
            run = self._client.get_run(self._run_id)
            self.is_lost = taken_over(run.data.tags, process_tags())
            self._asked = now  # not before there is an answer, which another thread would believe to be no
            if not self.is_lost and run.info.status != "RUNNING":  # it was believed dead, and none has taken it
                self._client.set_tag(self._run_id, "error", "")
                self._client.update_run(self._run_id, status="RUNNING")
        return self.is_lost

    def check(self) -> None:
        """Passes if the run is this process' own, or the store that would know is away.

        The store was asked in these seconds, as a rule, by the thread that delivers; a process that was stopped and
        goes on asks again.

        Raises:
            TakenOver: another process has taken it.
        """
        with suppress(MlflowException, OSError):
            recently = time.time() - self._asked < _TRUSTED_SECONDS
            if self.is_lost_here() or (not recently and self.ask()):
                raise TakenOver(self._run_id)


def taken_over(tags: Mapping[str, str], facts: Mapping[str, Any]) -> bool:
    """Whether another process has gone on with a run since one noted its facts."""
    return "process" in facts and any(tags.get(key) != facts[key] for key in ("host", "process"))
