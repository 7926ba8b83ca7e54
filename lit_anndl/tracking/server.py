"""MLflow's server, which shows a store in a browser: one for each store."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.files import write_atomically
from lit_anndl.runtime.liveness import end_with_parent, has_died, process_tags
from lit_anndl.runtime.terminal import announce
from lit_anndl.tracking.store import TrackingStore

WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""No processes for jobs: MLflow starts eight, of which evaluations of language models alone make use."""
_LONGEST_START_SECONDS = 60.0
_LONGEST_END_SECONDS = 10.0
_FIRST_PORT, _PORTS = 5000, 100


def running_server(store: TrackingStore, host: str, port: int | None) -> str | None:
    """The address of a server that shows the store already: the store's own, or one that this project has started.

    Args:
        store: the store.
        host: where it should listen.
        port: on which port, None for any.
    """
    if store.uri.startswith("http"):
        return store.uri.rstrip("/")
    try:
        facts = json.loads(_note(store).read_text(encoding="utf-8"))
        same = facts["store"] == store.uri and facts["host_served"] == host and port in (None, facts["port"])
        if not same or has_died(facts):
            return None
        address = _address(host, facts["port"])
        return address if _wait_for(address, lambda: not has_died(facts)) else None  # it may be busy, or just starting
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none has been started, or its note is damaged
        return None


@contextmanager
def serving(store: TrackingStore, host: str, port: int | None) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server of the store, as long as the context lasts; yields its address and its process.

    Raises:
        InputError: the port cannot be served, or the server ends before it answers.
    """
    port = _free_port(host) if port is None else port
    _refuse_busy(host, port)
    announce("MLflow's server starts …")
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    # In the environment, where no list of processes shows a password.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": store.address, **WITHOUT_JOBS}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said,
                                   start_new_session=True, preexec_fn=end_with_parent)  # fmt: skip
        try:
            if not _wait_for(_address(host, port), lambda: process.poll() is None):
                said.seek(0)
                reason = store.redact(RuntimeError(_last_line(said.read())))
                raise InputError(f"MLflow's server did not start: {reason}")
            facts = {"store": store.uri, "host_served": host, "port": port, **process_tags()}
            write_atomically(_note(store), json.dumps(facts).encode())
            yield _address(host, port), process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a server, by force if it takes long."""
    process.terminate()
    try:
        process.wait(_LONGEST_END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _note(store: TrackingStore) -> Path:
    """Where it is noted which server shows a store."""
    return store.outboxes().with_name("server.json")


def _address(host: str, port: int) -> str:
    """A server's address; from this machine, if it listens everywhere."""
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"


def _free_port(host: str) -> int:
    """The first port from MLflow's own on that nothing listens at."""
    for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
        try:
            with closing(socket.create_server((host, port))):
                return port
        except OSError:
            continue
    return _FIRST_PORT


def _refuse_busy(host: str, port: int) -> None:
    """Refuses an address that cannot be served."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{host}:{port} cannot be served ({reason}); give others with --port and --host") from error


def _wait_for(address: str, is_alive: Callable[[], bool]) -> bool:
    """Waits until a server that is alive answers; returns whether it does."""
    end = time.monotonic() + _LONGEST_START_SECONDS
    while time.monotonic() < end and is_alive():
        if _answers(address):
            return True
        time.sleep(0.2)
    return False


def _answers(address: str) -> bool:
    """Whether a server is there."""
    try:
        with urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        return False


def _last_line(said: bytes) -> str:
    """The last thing that a process has said."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"it gave no answer within {_LONGEST_START_SECONDS:.0f} s"
