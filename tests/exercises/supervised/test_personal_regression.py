"""The exercise personal_regression, through the command."""

import pytest
import torch

from lit_anndl.data.regression import RegressionData
from tests.support.processes import checkpoint, training_history
from tests.support.recorded import artifacts

SMALL = ["personal_regression", "--data.train_size", "100", "--data.test_size", "50"]
QUICK = [*SMALL, "--model.hidden", "[8]", "--trainer.max_epochs", "3"]


def test_learns_in_double_precision(command):
    run = command.run(*SMALL, "--model.hidden", "[20, 20]", "--trainer.max_epochs", "60")
    curve = [value for _, value in training_history(command.client, run.info.run_id)["train/mse"]]
    assert curve[0] > 1 and curve[-1] < 1e-4
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    assert {tensor.dtype for tensor in state.values()} == {torch.float64}


def test_single_precision_on_request(command):
    run = command.run(*QUICK, "--trainer.precision", "32-true")
    state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


def test_precisions_agree_at_first(command):
    runs = [command.run(*QUICK, "--trainer.precision", precision) for precision in ("32-true", "64-true")]
    curves = [training_history(command.client, run.info.run_id)["train/mse"] for run in runs]
    assert curves[0] != curves[1]
    assert curves[0][0][1] == pytest.approx(curves[1][0][1], rel=1e-5)


def test_figures(command):
    run = command.run(*QUICK)
    found = artifacts(command.client, run.info.run_id, "figures")
    names = ("curves", "surfaces", "difference", "squared_residuals")
    assert found == {f"figures/{name}.png" for name in names}


def test_widths_and_activations_per_layer(command):
    layers = ["--model.hidden", "[5, 4, 3]", "--model.activation", "[relu, tanh, mish]"]
    run = command.run(*SMALL, *layers, "--trainer.max_epochs", "1")
    assert run.data.metrics["parameters"] == 3 * 5 + 6 * 4 + 5 * 3 + 4
    assert run.data.params["model.hidden"] == "[5, 4, 3]"
    assert run.data.params["model.activation"] == "['relu', 'tanh', 'mish']"


def test_a_number_of_digits_as_it_is_typed(command):
    five, number = (command.run(*QUICK, "--data.digits", digits) for digits in ("66321", "0260631"))
    assert five.data.metrics["test/mse"] == number.data.metrics["test/mse"]
    assert five.data.params["data.digits"] == "66321"


@pytest.mark.parametrize(("text", "read"), [("66321", 66321), ("0766321", 257233)])
def test_digits_in_yaml_are_quoted(text, read, command, tmp_path):
    file = tmp_path / "digits.yaml"
    file.write_text(f"data:\n  digits: {text}\n")
    command.refuses(*QUICK, "--config", str(file), says=f"YAML has read the number {read}")
    file.write_text(f"data:\n  digits: '{text}'\n")
    assert command.run(*QUICK, "--config", str(file)).data.params["data.digits"] == text


def test_cross_validation_by_seed_leaves_the_test_set_alone(command):
    folds = [
        command.run(*QUICK, "--data.folds", "4", "--data.seed", "0", "--seed_everything", str(seed)) for seed in (0, 1)
    ]
    assert folds[0].data.metrics["val/mse"] != folds[1].data.metrics["val/mse"]
    made = [RegressionData(train_size=100, test_size=50, folds=4, fold=fold, seed=0) for fold in (0, 1)]
    for data in made:
        data.setup("fit")
    assert torch.equal(made[0].test[0], made[1].test[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.digits", "6632"], "data.digits: 6632 was given, expected five digits"),
        (["--data.digits", "00000"], "data.digits: 00000"),
        (["--data.digits", "abcde"], "data.digits: abcde"),
        (["--data.csv", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--data.train_size", "13600"], "make 13650 points; there are 13600"),
        (["--data.folds", "1"], "expected from 2"),
        (["--data.folds", "3"], "expected data.seed as well"),
        (["--model.activation", "rleu"], "rleu was given, expected"),
    ],
)
def test_wrong_settings(words, message, command):
    before = len(command.runs())
    command.refuses(*SMALL, *words, says=message)
    assert len(command.runs()) == before
