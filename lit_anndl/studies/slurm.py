"""Workers as jobs of a Slurm cluster: an array, each job a worker."""

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.paths import run_store
from lit_anndl.studies.database import VARIABLE
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.process import main
from lit_anndl.studies.study import OpenStudy

_SECONDS_TO_END = 90
"""How long before the time limit a job is told."""
_TOLD = {128 + 10, 128 + 12}
"""Exit codes of a worker that SIGUSR1 or SIGUSR2 ended: the time limit is near."""


def check(definition: Definition) -> None:
    """Refuses to go where there is no Slurm.

    Raises:
        InputError: there is none; submitit is not installed.
    """
    if find_spec("submitit") is None:
        raise InputError("launcher: slurm needs submitit; install it with: pip install -e '.[cluster]'")
    if shutil.which("sbatch") is None:
        raise InputError("launcher: slurm was given, but there is no sbatch on this machine; expected local")


def launch(opened: OpenStudy) -> str:
    """Submits the workers; returns the id of their array. They need the storage and the tracking store in reach.

    Raises:
        InputError: Slurm refuses the job.
    """
    import submitit  # only an installation with the extra `cluster` has it

    definition = opened.definition
    asked = definition.slurm
    os.environ[VARIABLE] = opened.storage.address  # sbatch hands the environment on; no file shows the password
    executor = submitit.SlurmExecutor(run_store() / "slurm" / definition.name, python=sys.executable)
    optional = {"partition": asked.partition, "account": asked.account, "mem": asked.memory}
    executor.update_parameters(
        job_name=definition.name,
        time=asked.minutes,
        cpus_per_task=asked.cpus,
        ntasks_per_node=1,
        signal_delay_s=_SECONDS_TO_END,
        array_parallelism=definition.workers,
        setup=asked.setup,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True, **asked.flags},
        **({"gpus_per_node": asked.gpus} if asked.gpus else {}),
        **{key: value for key, value in optional.items() if value is not None},
    )
    opened.parent.set_status("SCHEDULED")
    deadline = time.time() + definition.timeout if definition.timeout else None
    try:
        jobs = executor.map_array(
            _run_job,
            [definition.name] * definition.workers,
            [deadline] * definition.workers,
            [definition.max_failures] * definition.workers,
        )
    except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError) as error:
        raise InputError(f"Slurm refuses the job: {' '.join(str(error).split())[-300:]}") from error
    return str(jobs[0].job_id).partition("_")[0]


def _run_job(name: str, deadline: float | None, max_failures: int) -> None:
    """What a job does; told that its time is nearly up, it has itself put in the queue again."""
    code = main(name, deadline, max_failures)
    if code in _TOLD:
        subprocess.run(["scontrol", "requeue", job_id()], check=True)
    sys.exit(code)


def job_id() -> str:
    """The id of this job, as scontrol takes it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]
