"""Two workers in the queue at once, for the connection that held the lock was lost."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from optuna import Study, Trial
from optuna.trial import TrialState

from lit_anndl.studies.claiming import claim
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.queue import copy_into_queue, enqueue_planned, requeue
from lit_anndl.studies.samplers import make_sampler
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition
from tests.studies.conftest import assert_complete, in_state

ROWS: dict[str, Any] = {
    "space": None,
    "trials": None,
    "rows": {"narrow": {"model.hidden": 3}, "wide": {"model.hidden": 5}},
}
GRID: dict[str, Any] = {"space": {"model.hidden": [3, 5]}, "trials": None, "sampler": "grid"}
SEARCH: dict[str, Any] = {"trials": 2}


@pytest.fixture
def opened(request, study_file, storage):
    """A study of two trials that has been begun; and its file."""
    file = study_file(re.sub(r"\W", "_", request.node.name), **request.param)
    return begin(read_definition(file), StudyDatabase(storage)), file


@pytest.fixture
def while_asking(monkeypatch):
    """Has another worker do something while this one asks for its first trial: `(ask, study) → trial`."""

    def patch(ask: Callable[[Callable[[Study], Trial], Study], Trial]) -> None:
        honest, first = Study.ask, [True]
        monkeypatch.setattr(Study, "ask", lambda study: ask(honest, study) if first and first.pop() else honest(study))

    return patch


either = pytest.mark.parametrize("opened", [ROWS, SEARCH], indirect=True, ids=["rows", "search"])


@pytest.mark.parametrize("opened", [ROWS, GRID], indirect=True, ids=["rows", "grid"])
def test_what_was_put_in_the_queue_twice_is_run_once(opened, run_sweep, client):
    opened, file = opened
    for trial in opened.trials():
        opened.study.enqueue_trial(trial.system_attrs["fixed_params"], trial.user_attrs)
    enqueue_planned(opened.study, opened.definition)
    assert len(opened.trials()) == 4
    code, out, err = run_sweep(file)
    assert code == 0, err
    assert "2 of 2 trials complete" in out
    assert_complete(opened.study, client, 2)


@either
def test_a_trial_taken_beside_another_s_is_one_of_the_study_s(opened, run_sweep, client, while_asking):
    """The other takes what there is between this one's look and its asking, and dies."""

    def both_ask(ask, study):
        for _ in in_state(study, TrialState.WAITING) or [None]:
            ask(study)
        return ask(study)

    while_asking(both_ask)
    opened, file = opened
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(opened.study, client, 2)


@either
def test_a_trial_put_back_before_it_was_marked_is_taken_again(opened, run_sweep, client, while_asking):
    def put_back(ask, study):
        trial = ask(study)
        requeue(study, next(each for each in study.get_trials() if each.number == trial.number), died=False)
        return trial

    while_asking(put_back)
    opened, file = opened
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(opened.study, client, 2)


@either
def test_a_trial_put_back_twice_is_run_once(opened, run_sweep, client):
    opened, file = opened
    claim(opened.study, opened.definition, make_sampler)
    (trial,) = opened.study.get_trials(states=(TrialState.RUNNING,))
    copy_into_queue(opened.study, trial)
    (trial,) = opened.study.get_trials(states=(TrialState.RUNNING,))
    copy_into_queue(opened.study, trial)
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(opened.study, client, 2)


@either
def test_a_trial_that_a_worker_has_and_is_not_at_is_put_back(opened, run_sweep, client):
    opened, file = opened
    (trial,) = claim(opened.study, opened.definition, make_sampler)
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(opened.study, client, 2)
    (copy,) = [each for each in opened.trials() if trial.number in each.system_attrs.get("retry_history", [])]
    assert copy.user_attrs["deaths"] == 0  # nobody died of it
    assert "surplus" not in copy.user_attrs
