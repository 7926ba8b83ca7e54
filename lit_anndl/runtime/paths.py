"""Where the project keeps what it makes."""

from pathlib import Path

PACKAGE = Path(__file__).parent.parent


def project() -> Path | None:
    """The checkout that holds this package, None where it is installed without one."""
    return PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None


def run_store() -> Path:
    """The folder `mlruns` of the project, or else of the current directory."""
    return (project() or Path.cwd()) / "mlruns"
