"""Where the files of runs are, whose store is elsewhere."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_anndl.runtime.liveness import process_tags
from lit_anndl.tracking.artifacts import LAST_CHECKPOINT, fetch
from lit_anndl.tracking.outbox import Outbox

ELSEWHERE = {**process_tags(), "host": "another machine"}


@pytest.mark.parametrize(("latest", "expected"), [(process_tags(), "waits here"), (ELSEWHERE, "is in the store")])
def test_what_waits_here_is_passed_over_once_another_process_has_gone_on(latest, expected, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "spool")
    waiting = outbox.artifacts / LAST_CHECKPOINT
    waiting.parent.mkdir(parents=True)
    waiting.write_text("waits here")
    outbox.note(**process_tags())
    stored = tmp_path / "stored.ckpt"
    stored.write_text("is in the store")
    client = SimpleNamespace(
        list_artifacts=lambda *_: [SimpleNamespace(path=LAST_CHECKPOINT)], download_artifacts=lambda *_: str(stored)
    )
    store = SimpleNamespace(outbox=lambda _: outbox, translate_errors=nullcontext, client=client)
    run = SimpleNamespace(
        info=SimpleNamespace(run_id="0" * 32, artifact_uri="mlflow-artifacts:/1/artifacts"),
        data=SimpleNamespace(tags=latest),
    )
    path = fetch(store, run, LAST_CHECKPOINT, str(tmp_path))  # type: ignore[arg-type]  # as much of them as is needed
    assert path and path.read_text() == expected
