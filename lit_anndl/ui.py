"""Look at runs: python -m lit_anndl.ui [STUDY] opens MLflow where it compares them."""

import argparse
import os
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence
from urllib.request import urlopen

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.interruption import Interruption, raising_on_signals
from lit_anndl.runtime.terminal import DONE, FAILURE, WRONG_INPUT

_LONGEST_START_SECONDS = 60.0


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m lit_anndl.ui", description=__doc__)
    parser.add_argument("study", nargs="?", help="compare the runs of this study (default: all runs)")
    parser.add_argument("--port", type=int, default=5000, help="of the server (default: 5000)")
    parser.add_argument("--host", default="127.0.0.1", help="who may look: this machine alone (default), or 0.0.0.0")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    asked = parser.parse_args(argv)
    try:
        with raising_on_signals():
            return show(asked)
    except InputError as error:
        print(f"ui: {error}", file=sys.stderr)
        return WRONG_INPUT
    except Interruption:
        return DONE


def show(asked: argparse.Namespace) -> int:
    """Serves the store until it is interrupted; a store that is a server already is only opened."""
    from lit_anndl.tracking.comparison import address
    from lit_anndl.tracking.leftovers import open_store

    store = open_store()
    experiment = store.experiment_of_study(asked.study) if asked.study else store.latest_experiment()
    if store.uri.startswith("http"):
        _open_page(address(store.uri.rstrip("/"), experiment, asked.study), asked)
        return DONE
    _refuse_busy(asked.host, asked.port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", asked.host, "--port", str(asked.port)]
    # In the environment, where no list of processes shows a password.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": store.address}
    server = subprocess.Popen([*command, "--workers", "1"], env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        _wait_for(f"http://{asked.host}:{asked.port}/health", server)
        _open_page(address(f"http://{asked.host}:{asked.port}", experiment, asked.study), asked)
        return FAILURE if server.wait() else DONE
    finally:
        server.terminate()
        server.wait()


def _open_page(page: str, asked: argparse.Namespace) -> None:
    """Prints the address, and opens it where there is a screen."""
    print(f"{page}\n(Ctrl-C ends it)", flush=True)
    if not asked.no_browser and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        webbrowser.open(page)


def _refuse_busy(host: str, port: int) -> None:
    """Refuses an address that cannot be served."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{host}:{port} cannot be served ({reason}); give others with --port and --host") from error


def _wait_for(page: str, server: "subprocess.Popen[bytes]") -> None:
    """Waits until a server answers."""
    end = time.monotonic() + _LONGEST_START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(page, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise InputError("MLflow's server did not start")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
