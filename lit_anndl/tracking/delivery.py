"""Records on their way from an outbox to the store."""

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from lit_anndl.tracking.artifacts import CONFIGURATION
from lit_anndl.tracking.outbox import Outbox

_METRICS_PER_CALL, _PARAMETERS_PER_CALL = 1000, 100
"""MLflow's own limits."""


def deliver(client: MlflowClient, run_id: str, outbox: Outbox) -> None:
    """Sends parameters, artifacts and metrics that wait in a outbox; raises MlflowException when the store is away.

    Artifacts stay in the outbox until the run has ended, for checkpoints among them change.
    """
    if parameters := [Param(key, str(value)) for key, value in outbox.metadata().get("parameters", {}).items()]:
        for start in range(0, len(parameters), _PARAMETERS_PER_CALL):
            client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_PER_CALL])
        if (configuration := outbox.artifacts / CONFIGURATION).exists():
            client.log_artifact(run_id, str(configuration))
        outbox.note(parameters={})
    while entries := outbox.pending()[:_METRICS_PER_CALL]:
        metrics = [Metric(entry.name, entry.value, entry.milliseconds, entry.epoch) for entry in entries]
        client.log_batch(run_id, metrics=metrics)
        outbox.drop(len(entries))


def finish(client: MlflowClient, run_id: str, outbox: Outbox, status: str, tags: Mapping[str, str]) -> None:
    """Delivers metrics, artifacts, tags and the final status of a run that has ended."""
    deliver(client, run_id, outbox)
    if outbox.artifacts.is_dir():
        client.log_artifacts(run_id, str(outbox.artifacts))
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.set_terminated(run_id, status)
    outbox.remove()
