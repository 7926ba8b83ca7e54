"""The exercises on Hopfield networks, through the command."""

import math

import pytest
import torch

from lit_anndl.exercises.recurrent.hopfield_capacity import HopfieldCapacity
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table

DIGITS = ["hopfield_digits", "--data.noise", "[0, 1, 8]", "--data.occlusion", "[0.5]", "--data.draws", "2"]


def test_the_plane_as_published(command, tmp_path):
    run = command.run("hopfield_2d")
    metrics = run.data.metrics
    assert metrics["train/stored"] == metrics["test/converged"] == 1
    assert 0.7 < metrics["test/recalled"] < 0.8  # three of four corners are stored
    assert 8 < metrics["test/iterations"] < 14  # B: 12.5 in ten runs
    assert [metrics[f"fixed_points/{role}"] for role in ("stored", "spurious", "unstable")] == [3, 1, 5]
    points = {tuple(line["state"]): line for line in table(command.client, run, "fixed_points", tmp_path)}
    assert points[-1, 1]["role"] == "spurious" and points[0, 0]["kind"] == "repeller"
    assert sum(line["share of random starts"] for line in points.values()) == pytest.approx(1)
    for line in points.values():
        assert (line["returns"] == 1) if line["kind"] == "attractor" else (line["returns"] < 0.1)
    figures = {f"figures/{name}.png" for name in ("trajectories", "energy", "basins")}
    assert artifacts(command.client, run.info.run_id, "figures") == figures


def test_published_states_of_symmetric_starts(command, tmp_path):
    run = command.run("hopfield_3d")
    assert run.data.metrics["test/recalled"] == 1
    lines = table(command.client, run, "starts", tmp_path)
    low, middle = [-0.0604547, -1, -0.0604547], [0.3666667, -0.3666667, 0.3666667]
    assert [line["end"] for line in lines] == [pytest.approx(end, abs=1e-6) for end in (low, low, middle)]
    assert all(line["role of the end"] == "unstable" for line in lines)
    assert all(line["perturbed runs that end there"] == 0 for line in lines)
    points = [line["state"] for line in table(command.client, run, "fixed_points", tmp_path)]
    assert low in points and middle in points


def test_patterns_and_starts_of_ones_own(command, tmp_path):
    words = ["--data.patterns", "[[1,1],[-1,-1]]", "--data.starts", "[[0.4,0.1]]", "--data.random_starts", "50"]
    run = command.run("hopfield_2d", *words)
    (line,) = table(command.client, run, "starts", tmp_path)
    assert line["end"] == [1, 1] and line["role of the end"] == "stored"
    assert run.data.metrics["fixed_points/spurious"] == 0


def test_more_dimensions_than_can_be_drawn(command):
    words = ["--model.units", "4", "--data.patterns", "[[1,1,1,1],[-1,-1,1,1],[1,-1,-1,1]]", "--data.starts", "[]"]
    run = command.run("hopfield_2d", *words, "--data.random_starts", "20")
    assert run.data.metrics["train/stored"] == 1
    assert artifacts(command.client, run.info.run_id, "figures") == {"figures/energy.png"}


def test_hebb_one_unit_at_a_time(command):
    words = ["--model.storage", "hebb", "--model.update", "asynchronous", "--data.patterns", "[[1,1,1],[-1,1,-1]]"]
    metrics = command.run("hopfield_3d", *words, "--data.starts", "[]").data.metrics
    assert metrics["train/stored"] == metrics["test/converged"] == 1
    assert metrics["test/iterations"] < 3


def test_what_goes_round_and_round_is_not_recalled(command, tmp_path):
    """W = [[0, 1], [1, 0]] / 6 exchanges the two units: [1, -1] and [-1, 1] follow each other for good."""
    words = ["--model.storage", "hebb", "--model.iterations", "10", "--data.starts", "[[0.5,-0.5]]"]
    run = command.run("hopfield_2d", *words)
    metrics = run.data.metrics
    assert metrics["test/recalled"] == metrics["test/converged"] == pytest.approx(0.5, abs=0.05)
    (line,) = table(command.client, run, "starts", tmp_path)
    assert line["role of the end"] == "none"


def test_what_is_stored_is_in_the_checkpoint(command):
    run = command.run("hopfield_3d", "--data.random_starts", "10")
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    assert state["net.weights"][0, 0] == pytest.approx(0.84893288, abs=1e-8)


def test_digits(command, tmp_path, digits):
    run = command.run(*DIGITS, "--data.directory", str(digits))
    assert run.data.metrics["train/stored"] == 1
    levels = {
        (line["storage"], line["corruption"], line["level"]): line
        for line in table(command.client, run, "levels", tmp_path)
    }
    assert len(levels) == 3 * 4
    assert levels["lssm", "noise", 0]["recalled"] == levels["lssm", "noise", 1]["recalled"] == 1
    for line in levels.values():
        assert line["recalled"] + line["another digit"] + line["none"] == pytest.approx(1)
        assert line["from (95 %)"] <= line["recalled"] <= line["to"]
    own = sum(line["recalled"] * line["copies"] for key, line in levels.items() if key[0] == "lssm")
    assert run.data.metrics["test/recalled"] == pytest.approx(own / 70, abs=1e-6)
    cells = table(command.client, run, "confusion", tmp_path)
    assert sum(cell["copies"] for cell in cells if cell["storage"] == "hebb") == 70
    figures = {f"figures/{name}.png" for name in ("digits", "recalled", "iterations", "confusion", "energy")}
    assert artifacts(command.client, run.info.run_id, "figures") == figures


@pytest.mark.parametrize("storage", ["hebb", "dense"])
def test_digits_by_another_rule(storage, command, digits):
    run = command.run(*DIGITS, "--data.directory", str(digits), "--model.storage", storage, "--model.order", "12")
    assert run.data.metrics["train/stored"] == (1 if storage == "dense" else pytest.approx(0, abs=0.5))


def test_capacity(command, tmp_path):
    words = ["--data.units", "60", "--data.loads", "[0.05, 0.6]", "--data.flipped", "[0.1]", "--data.sets", "5"]
    run = command.run("hopfield_capacity", *words)
    lines = {(line["storage"], line["K/N"]): line for line in table(command.client, run, "capacity", tmp_path)}
    assert lines["hebb", 0.05]["recalled"] > 0.9 > 0.1 > lines["hebb", 0.6]["recalled"]
    assert lines["dense", 0.6]["recalled"] > 0.9
    assert lines["hebb", 0.6]["patterns"] == 5 * 36
    both = [lines["hebb", load]["recalled"] for load in (0.05, 0.6)]
    weights = [lines["hebb", load]["patterns"] for load in (0.05, 0.6)]
    mean = sum(share * weight for share, weight in zip(both, weights, strict=True)) / sum(weights)
    assert run.data.metrics["test/recalled"] == pytest.approx(mean, abs=1e-6)


def test_sets_of_equal_patterns(command):
    words = ["--data.units", "2", "--data.loads", "[1]", "--data.sets", "20"]
    assert command.run("hopfield_capacity", *words).data.metrics["train/stored"] > 0


@pytest.mark.parametrize("order", [2, 3, 4])
def test_capacity_of_higher_orders(order):
    """N^(n-1) / (2 (2n-3)!! ln N) patterns (Krotov & Hopfield 2016), N / (2 ln N) of order 2."""
    double_factorial = {2: 1, 3: 3, 4: 15}[order]
    rules = HopfieldCapacity(order=order).rules(100)
    expected = 100 ** (order - 2) / (2 * double_factorial * math.log(100))
    assert rules[f"rule of order {order}"] == pytest.approx(expected)
    assert rules["Hebb, N / (2 ln N)"] == pytest.approx(1 / (2 * math.log(100)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["hopfield_2d", "--data.patterns", "[[1,1],[1,1,1]]"],
            "data.patterns: row 2, [1.0, 1.0, 1.0], has 3 values",
        ),
        (["hopfield_2d", "--data.patterns", "[[1,1,1],[1,1,-1]]"], "patterns of 3 values were given, expected 2"),
        (["hopfield_2d", "--data.patterns", "[[1,1]]"], "1 was given, expected two or more"),
        (["hopfield_2d", "--data.patterns", "one"], "data.patterns"),
        (
            ["hopfield_2d", "--model.storage", "hebb", "--data.patterns", "[[1,0.5]]"],
            "a value of 0.5 was given, expected ±1",
        ),
        (["hopfield_3d", "--data.starts", "[[1,1]]"], "data.starts: states of 2 values were given, expected 3"),
        (["hopfield_3d", "--model.storage", "dense"], "dense was given, expected 'lssm', 'hebb'"),
        (
            ["hopfield_3d", "--model.units", "9", f"--data.patterns=[{[1] * 9},{[-1] * 9}]", "--data.starts", "[]"],
            "model.units 9 was given, expected 8 at most",
        ),
        (["hopfield_digits", "--data.noise", "[]", "--data.occlusion", "[]"], "both empty"),
        (["hopfield_capacity", "--data.loads", "[]"], "data.loads: [] was given"),
        (["hopfield_2d", "--model.step", "1000"], "model.step 1000 was given, expected 20 at most"),
        (["hopfield_capacity", "--model.order", "1"], "model.order 1 was given, expected 2 or more"),
    ],
)
def test_wrong_settings(words, message, command):
    before = len(command.runs())
    command.refuses(*words, says=message)
    assert len(command.runs()) == before
