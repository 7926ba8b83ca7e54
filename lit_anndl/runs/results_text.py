"""What a terminal is told of a finished run."""

from collections.abc import Iterator

from lit_anndl.runs.metrics_table import metrics_table
from lit_anndl.runs.run import Result


def results_text(result: Result) -> str:
    """The metrics, and where the run is to be seen."""
    return "\n".join([metrics_table(result.metrics), *_places(result)])


def _places(result: Result) -> Iterator[str]:
    if not result.run_id:
        return
    yield f"\nrun {result.run_id}"
    if result.artifacts:
        for folder in [result.artifacts / kind for kind in ("checkpoints", "figures", "tables")]:
            if files := sorted(path.name for path in folder.glob("*")):
                yield f"{folder.name}: {folder} ({', '.join(files)})"
    yield f"see it: python -m lit_anndl.ui {result.run_id}"
