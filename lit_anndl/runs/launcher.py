"""Several processes that train one run together: started, watched and ended as one."""

import math
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import IO

from lit_anndl.runtime.cores import available_cores
from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import SIGNALS, Interruption, handlers, ignoring_signals, raise_undisturbed
from lit_anndl.runtime.liveness import end_with_parent, process

VARIABLE = "LIT_ANNDL_GROUP"
"""Set in the processes of a group: where they report signals, who launched them, when."""
LOST_CONNECTION = 70
"""The exit code of a rank whose only failure is that another has gone."""
_END_SECONDS = 16.0
"""How long a group may take to end after a signal or a failure: longer than a signal waits for the end of an epoch
(`interruption.GRACE_SECONDS`), shorter than clusters wait before they kill."""
_LAST_WORDS_SECONDS = 2.0
"""How long rank 0, done, waits for the others."""
_STORE_SECONDS = 5.0
"""How long the tracking store may take to mark a run whose processes were killed."""
_POLL_SECONDS = 0.1


class ProcessGroup:
    """The processes of a run on this machine, each the same command with another LOCAL_RANK, as torch's own launcher.

    What rank 0 says is shown; the others repeat it, so that what they say is shown only if one of them fails alone.
    A signal is passed on to all. One that a single rank gets is reported here, by the handler in C, so whatever the
    rank waits in. From the first signal or failure on they have END_SECONDS to end; then they are killed. They are
    killed with this process, too.

    Args:
        command: the command.
        size: how many processes.
        started: when the user's command started, as `time.time()`.
    """

    def __init__(self, command: Sequence[str], size: int, started: float) -> None:
        self.command = command
        self.size = size
        self.started = started
        self.signum: int | None = None
        self.failed: int | None = None
        self._ranks: list[subprocess.Popen[bytes]] = []
        self._outputs: list[IO[bytes] | None] = []
        self._deadline = math.inf

    def run(self) -> int:
        """Starts the processes and waits for their end; returns rank 0's exit code, when that has said what it means.

        Raises:
            Interruption: a signal has ended them before rank 0 could say so.
            RunFailure: another rank has failed, or one was killed.
        """
        with ExitStack() as self._files:
            with handlers(dict.fromkeys(SIGNALS, self._pass_on)):
                try:
                    leader = self._start_and_watch()
                finally:
                    self._kill()
            if (code := self._ranks[0].returncode) >= 0 and code != LOST_CONNECTION:
                return code
            ending = Interruption(self.signum) if self.signum else RunFailure(self._failure())
            said = str(ending) if self.signum and code == LOST_CONNECTION else None
            with ignoring_signals():
                ending.run_id = _abandoned_run(leader, said)
            if isinstance(ending, Interruption):
                raise_undisturbed(ending)
            raise ending

    def _start_and_watch(self) -> str:
        """Returns which process rank 0 was, when all have ended or are late."""
        reports, reporting = os.pipe()
        self._files.callback(os.close, reports)
        self._files.callback(os.close, reporting)
        os.set_blocking(reporting, False)  # a handler must not wait
        self._start(reporting)
        leader = process(self._ranks[0].pid)
        self._watch(reports)
        return leader

    def _start(self, reporting: int) -> None:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        threads = max(1, available_cores() // self.size)  # more than there are cores would wait for each other
        group = f"{reporting} {os.getpid()} {self.started}"
        for rank in range(self.size):
            output = tempfile.TemporaryFile() if rank else None  # noqa: SIM115  # the stack closes it
            self._outputs.append(self._files.enter_context(output) if output else None)
            self._ranks.append(
                subprocess.Popen(
                    self.command,
                    env={
                        **address,
                        "OMP_NUM_THREADS": str(threads),
                        **os.environ,
                        "LOCAL_RANK": str(rank),
                        VARIABLE: group,
                    },
                    stdout=subprocess.DEVNULL if rank else None,
                    stderr=output,
                    pass_fds=[reporting],
                    process_group=0,  # or Ctrl-C would reach them twice
                )
            )

    def _watch(self, reports: int) -> None:
        """Waits until all have ended, or are late."""
        while None in (codes := [rank.poll() for rank in self._ranks]) and time.monotonic() < self._deadline:
            if select.select([reports], [], [], _POLL_SECONDS)[0]:
                told = [signum for signum in os.read(reports, 1024) if signum in SIGNALS]
                self.signum = self.signum or (told[0] if told else None)
            self._judge(codes)
        self._judge(codes)

    def _judge(self, codes: list[int | None]) -> None:
        """Notes who has failed first, and how long the others may go on."""
        if self.failed is None:
            self.failed = next((rank for rank, code in enumerate(codes) if _has_failed(code)), None)
        if self.signum or any(codes):
            self._end_within(_END_SECONDS)
        if codes[0] is not None:
            self._end_within(_LAST_WORDS_SECONDS)

    def _end_within(self, seconds: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def _pass_on(self, signum: int, _: object) -> None:
        self.signum = self.signum or signum
        for rank in self._ranks:
            rank.send_signal(signum)

    def _kill(self) -> None:
        for rank in self._ranks:
            rank.kill()  # does nothing to one that has ended
        for rank in self._ranks:
            rank.wait()

    def _failure(self) -> str:
        """Which rank failed, and how; what it alone has said is shown."""
        if self.failed is None:
            return f"{self.size} processes that trained together have lost each other"
        if output := self._outputs[self.failed]:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
        code = self._ranks[self.failed].returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"rank {self.failed} of {self.size} processes {how}"


def _has_failed(code: int | None) -> bool:
    """Whether an exit code tells of a failure other than that of another process."""
    return code not in (None, 0, LOST_CONNECTION)


def join_group() -> float | None:
    """Makes this process one of the group that has launched it; returns when the user's command started.

    None for a process that no group has launched.
    """
    if VARIABLE not in os.environ:
        return None
    reporting, launcher, started = os.environ[VARIABLE].split()
    end_with_parent(signal.SIGKILL)
    if os.getppid() != int(launcher):  # it has died before it could take this process with it
        sys.exit(LOST_CONNECTION)
    signal.set_wakeup_fd(int(reporting), warn_on_full_buffer=False)
    return float(started)


def _abandoned_run(leader: str, interrupted: str | None) -> str | None:
    """The id of the run that a killed process was tracking, marked KILLED, if the store answers in time.

    Args:
        leader: the process.
        interrupted: by what, where the process took it for a failure that another had left it.
    """
    found: list[str | None] = []

    def look_up() -> None:
        from lit_anndl.tracking.leftovers import open_store

        with suppress(InputError):
            store = open_store()  # which marks the runs of dead processes
            found.append(store.run_of(leader))
            if found[0] and interrupted:
                store.mark_killed(found[0], interrupted)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_STORE_SECONDS)
    return found[0] if found else None


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
