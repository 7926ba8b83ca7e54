"""Real servers of the tests' own, on this machine alone: MLflow; PostgreSQL and Slurm, where they are installed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from lit_anndl.tracking.server import WITHOUT_JOBS
from tests.support.processes import wait_until

LOCK_HOLDERS = "state LIKE 'idle%' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
"""Backends that hold a lock for somebody who is busy elsewhere."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def required(*programs: str) -> dict[str, str]:
    """Where programs are; skips the test where one is missing."""
    places = [os.environ["PATH"], "/usr/sbin", "/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = {program: shutil.which(program, path=os.pathsep.join(places)) for program in programs}
    if missing := [program for program, path in found.items() if path is None]:
        pytest.skip(f"{', '.join(missing)} not installed")
    return {program: str(path) for program, path in found.items()}


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A tracking server, answering."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/served"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **WITHOUT_JOBS}
    server = subprocess.Popen(
        command + stores, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until(lambda: answers(port))
    return server


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


class Postgres:
    """A database server that can be restarted, and whose backends can be terminated."""

    def __init__(self, folder: Path, control: list[str], port: int) -> None:
        self.folder = folder
        self.control = control
        self.port = port

    @property
    def address(self) -> str:
        return f"postgresql://postgres:hush@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self._run("-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._run("-m", "fast", "-w", "stop")

    @contextmanager
    def terminating(self, which: str = "true", every: float = 0.002) -> Iterator[list[int]]:
        """Meanwhile the backends of clients of which an SQL condition holds are terminated; yields their numbers."""
        done, terminated = threading.Event(), list[int]()
        condition = f"backend_type = 'client backend' AND pid <> pg_backend_pid() AND {which}"
        statement = f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {condition}"

        def terminate() -> None:
            with psycopg.connect(self.address, autocommit=True) as connection:
                while not done.wait(every):
                    terminated.extend(pid for pid, _ in connection.execute(statement))

        thread = threading.Thread(target=terminate)
        thread.start()
        try:
            yield terminated
        finally:
            done.set()
            thread.join()

    def _run(self, *words: str) -> None:
        subprocess.run([*self.control, "-D", str(self.folder / "data"), *words], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with an empty database."""
    programs = required("initdb", "pg_ctl", "setpriv")
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    as_user = []
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = [programs["setpriv"], "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    initialise = [programs["initdb"], "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run([*as_user, *initialise], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    server = Postgres(folder, [*as_user, programs["pg_ctl"]], free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


SLURM_CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=20
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller_port}
SlurmdPort={node_port}
NodeName=localhost NodeHostname={host} CPUs=8 State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """A cluster of one machine; yields the environment that its commands need."""
    programs = required("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
    if os.getuid():
        pytest.skip("Slurm's daemons want to be root")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    folder.chmod(0o711)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    ports = {"controller_port": free_port(), "node_port": free_port()}
    configuration = SLURM_CONFIGURATION.format(folder=folder, host=socket.gethostname().partition(".")[0], **ports)
    (folder / "slurm.conf").write_text(configuration)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log"}
    munge = [f"--{option}={folder / name}" for option, name in {**files, "seed-file": "munged.seed"}.items()]
    try:
        subprocess.run([programs["munged"], "--force", *munge], check=True)
        subprocess.run([programs["slurmctld"]], check=True, env=environment)
        subprocess.run([programs["slurmd"], "-N", "localhost"], check=True, env=environment)
        yield environment
    finally:
        if (folder / "slurmctld.pid").exists():  # jobs of a test that failed would outlive it, and their node with them
            subprocess.run(["scancel", "--partition", "short"], env=environment, check=False)
        for name in ("slurmd", "slurmctld", "munged"):
            if (file := folder / f"{name}.pid").exists():
                os.kill(int(file.read_text()), signal.SIGTERM)
