"""Workers on this machine: its CPU threads and GPUs divided among them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import torch

from lit_anndl.runtime.cores import available_cores
from lit_anndl.runtime.deferral import deferring
from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import Interruption, ignoring_signals
from lit_anndl.runtime.liveness import end_with_parent
from lit_anndl.runtime.terminal import acknowledge
from lit_anndl.studies.claiming import take_back
from lit_anndl.studies.database import VARIABLE, retry
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.handing_back import release
from lit_anndl.studies.process import arguments
from lit_anndl.studies.status_line import progress
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.worker import work

_LONGEST_GOODBYE_SECONDS = 30.0
"""How long interrupted workers may take to put their trials back."""


def check(definition: Definition) -> None:
    """Refuses more workers than there is room for.

    Raises:
        InputError: there are more than the GPUs are to be shared by.
    """
    environments(definition, "")


def launch(opened: OpenStudy) -> None:
    """Works on a study until it is complete: in this process, or in several of their own.

    Raises:
        Interruption: a signal, after the workers have ended.
        RunFailure: workers ended before the study was complete.
    """
    definition = opened.definition
    deadline = time.time() + definition.timeout if definition.timeout else None
    with progress(opened):
        if definition.workers == 1:
            work(opened, deadline, definition.max_failures)
            return
        argv = arguments(definition.name, deadline, definition.max_failures)
        try:
            with started(argv, environments(definition, opened.storage.address)) as workers:
                codes = [worker.wait() for worker in workers]
        except Interruption:
            with ignoring_signals():
                release(opened, "KILLED", take_back)  # of workers that took too long, and were killed
            raise
    if any(codes) and (left := sum(retry(opened.counts)[state] for state in ("RUNNING", "WAITING"))):
        raise RunFailure(
            f"{sum(map(bool, codes))} workers ended early, {left} trials are left: the same command goes on"
        )
    if all(codes):
        raise RunFailure("all workers ended early; the same command goes on")


@contextmanager
def started(argv: Sequence[str], environments: Sequence[dict[str, str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers as processes; a signal is passed on to each of them once, and they are waited for, but not for ever."""
    command = [sys.executable, "-m", "lit_anndl.studies.process", *argv]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with deferring():
            workers += [_start(command, each) for each in environments]
        yield workers
    except Interruption as interruption:
        with ignoring_signals():
            _terminate_workers(workers, interruption.signum)
        raise
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _start(command: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A process that a signal to this one's group does not reach, and that is told when this one is killed."""
    return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=end_with_parent)


def _terminate_workers(workers: Sequence["subprocess.Popen[bytes]"], signum: int) -> None:
    """Passes a signal on, and waits for the workers to put their trials back."""
    acknowledge("the workers put their trials back")
    for worker in workers:
        worker.send_signal(signum)
    end = time.monotonic() + _LONGEST_GOODBYE_SECONDS
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.0, end - time.monotonic()))


def environments(definition: Definition, address: str) -> list[dict[str, str]]:
    """The environment of each worker.

    Raises:
        InputError: there are more workers than the GPUs are to be shared by.
    """
    gpus = _visible_gpus()
    if gpus and definition.workers > len(gpus) * definition.workers_per_gpu:
        raise InputError(
            f"workers: {definition.workers} for {len(gpus)} GPUs was given, expected {definition.workers_per_gpu} "
            "per GPU at most; let several share one with --workers_per_gpu"
        )
    threads = max(1, available_cores() // definition.workers)
    common = {**os.environ, VARIABLE: address, "OMP_NUM_THREADS": str(threads)}
    if not gpus:
        return [common] * definition.workers
    return [{**common, "CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} for i in range(definition.workers)]


def _visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    count = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return chosen.split(",")[:count] if chosen else [str(i) for i in range(count)]
