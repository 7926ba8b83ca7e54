"""What a run was made with: the commit, the packages, the machine."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from lit_anndl.runtime.paths import project

_PACKAGES = ("lightning", "mlflow", "numpy", "reservoirpy", "scikit-learn", "torch", "torchmetrics", "torchvision")


def tags() -> dict[str, str]:
    """Tags for the tracker: python, version.PACKAGE, git_commit (with `+changes` if there are any), cpu, cpus, gpu."""
    found = {f"version.{name}": version(name) for name in _PACKAGES}
    found |= {"python": platform.python_version(), "cpu": cpu(), "cpus": str(os.cpu_count())}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    if commit := git_commit():
        found["git_commit"] = found["mlflow.source.git.commit"] = commit
    return found


def cpu() -> str:
    """The processor's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def git_commit() -> str | None:
    """The checkout's commit, None outside a checkout or without git."""
    folder = project()
    if folder is None:
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(folder, "status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
