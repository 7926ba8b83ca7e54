"""What runs have recorded."""

import json
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run


def artifacts(client: MlflowClient, run_id: str, folder: str = "") -> set[str]:
    """The paths of all files in a folder of a run."""
    found = set()
    for item in client.list_artifacts(run_id, folder):
        found |= artifacts(client, run_id, item.path) if item.is_dir else {item.path}
    return found


def read_artifact(client: MlflowClient, run_id: str, name: str, folder: Path) -> str:
    """The text of a file of a run, fetched into a folder."""
    return Path(client.download_artifacts(run_id, name, str(folder))).read_text()


def table(client: MlflowClient, run: Run, name: str, folder: Path) -> list[dict[str, Any]]:
    """The lines of a table of a run."""
    content = json.loads(read_artifact(client, run.info.run_id, f"tables/{name}.json", folder))
    return [dict(zip(content["columns"], line, strict=True)) for line in content["data"]]


def printed_metrics(out: str) -> dict[str, float]:
    """The table of metrics that a command has printed, by name."""
    (table,) = [block for block in out.split("\n\n") if "seconds/fit" in block]
    return {line.split()[0]: float(line.split()[1]) for line in table.strip().splitlines()}
