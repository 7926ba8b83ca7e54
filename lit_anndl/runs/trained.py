"""The trained exercise of a run, back from the store."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lit_anndl.callbacks.checkpoint import read_checkpoint
from lit_anndl.config import presets
from lit_anndl.config.configuration import parse
from lit_anndl.modules.exercise import Exercise
from lit_anndl.runs.compose import assemble
from lit_anndl.runs.refusals import refusing
from lit_anndl.runs.resume import recorded_run
from lit_anndl.runtime.errors import InputError
from lit_anndl.tracking.artifacts import LAST_CHECKPOINT, fetched
from lit_anndl.tracking.store import TrackingStore


def load(run_id: str) -> Exercise[Any]:
    """The trained exercise of a run, on the CPU, in evaluation mode.

    Its weights are those that were tested, or that would be if an interrupted run had ended: its last ones, or the best
    that early stopping has kept.

    No code of the store's is run: the class is the exercise's own, the weights are read as tensors.

    Raises:
        InputError: there is no such run, its record cannot be used, or it has no checkpoint.
    """
    store = TrackingStore()
    run = store.run(run_id)
    exercise = run.data.tags.get("exercise", "")
    if exercise not in presets.names() or "seed" not in run.data.tags:
        raise InputError(f"run {run_id} is no run of an exercise; a study has trained in the runs below its own")
    _, record = recorded_run(store, exercise, run_id)
    with refusing(), torch.random.fork_rng():
        configuration = parse(exercise, [], record)
        module: Exercise[Any] = assemble(configuration).model
    with fetched(store, run_id, LAST_CHECKPOINT) as path:
        if path is None:
            raise InputError(f"the checkpoint of run {run_id} is not there {'any more' if run.data.metrics else 'yet'}")
        content = read_checkpoint(path, exercise, module)
    module.load_state_dict(_tested_weights(content), assign=True)  # in the precision that they were trained in
    return module.eval().requires_grad_(False)


def _tested_weights(content: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """The weights of a checkpoint that were tested: the best, if early stopping has kept them, or else the last."""
    kept = [state["best_weights"] for state in content["callbacks"].values() if state.get("best_weights")]
    weights: Mapping[str, Tensor] = kept[0] if kept else content["state_dict"]
    return weights
