"""The deep Boltzmann machine, through the command."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import softplus

from lit_anndl import load
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.dbm import DigitDBM
from lit_anndl.exercises.generative.likelihood import binary_images
from tests.support.phases import resumed_after_each_epoch
from tests.support.processes import checkpoint, training_history
from tests.support.recorded import artifacts, table
from tests.support.refusals import assert_refused

EXERCISE = "dbm"
NOTHING = ["--model.ais_chains", "0", "--model.sampling_chains", "0", "--model.enumerate_states", "false"]
NOTHING += ["--model.quality_samples", "0"]
SHORT = [EXERCISE, "--model.hidden", "[8,5]", "--data.batch_size", "40", *NOTHING]
EXACT = ["--model.enumerate_states", "true"]


def epochs(pretraining, joint, classifier):
    numbers = {"pretraining": pretraining, "joint": joint, "classifier": classifier}
    return [f"--model.{name}_epochs={number}" for name, number in numbers.items()]


@pytest.fixture
def words(digits):
    return [*SHORT, "--data.directory", str(digits)]


@pytest.fixture
def undrawn(monkeypatch):
    """Runs without figures."""
    monkeypatch.setattr(DigitDBM, "figures", lambda *_: iter(()))


def exact_log_likelihood(machine, v):
    """The mean of log p(v) by summing over all states of h₁, given which v and h₂ are independent, twice."""
    h1 = (torch.arange(2 ** len(machine.first_bias)).unsqueeze(1) >> torch.arange(len(machine.first_bias)) & 1).float()
    below = h1 @ machine.lower.T + machine.visible_bias  # (states, 784)
    of_h1 = h1 @ machine.first_bias + softplus(h1 @ machine.upper + machine.second_bias).sum(dim=1)
    log_z = (of_h1 + softplus(below).sum(dim=1)).logsumexp(dim=0)
    return float((of_h1 + v @ below.T).logsumexp(dim=1).mean() - log_z)


def test_each_phase_moves_its_own_weights(words, command, monkeypatch, undrawn):
    states, begin = [], DigitDBM.on_train_epoch_start

    def kept(self):
        states.append({name: tensor.clone() for name, tensor in self.state_dict().items()})
        begin(self)

    monkeypatch.setattr(DigitDBM, "on_train_epoch_start", kept)
    run = command.run(*words, *epochs(1, 1, 1))
    states.append(torch.load(checkpoint(run), weights_only=True)["state_dict"])
    moved = [
        {".".join(name.split(".")[:3]) for name in after if not torch.equal(before[name], after[name])}
        for before, after in pairwise(states)
    ]
    parameters = ("lower", "upper", "visible_bias", "first_bias", "second_bias")
    machine, chains = ({f"net.{name}" for name in parameters}, {f"learning.{name}" for name in ("visible", "first")})
    assert {"learning.layers.0", "net.lower"} <= moved[0] and "learning.layers.1" not in moved[0]
    assert {"learning.layers.1", "net.upper"} <= moved[1] and not {"learning.layers.0", "net.lower"} & moved[1]
    assert moved[2] == {*machine, *chains, "learning.second"}
    assert {name.split(".")[0] for name in moved[3]} == {"classifier", "can_classify"}
    stacked = states[2]
    assert torch.equal(stacked["net.lower"], stacked["learning.layers.0.weight"])
    assert torch.equal(stacked["net.upper"], stacked["learning.layers.1.weight"])


def test_a_run_interrupted_in_any_phase_or_between_two_goes_on_as_if_it_had_not_been(
    words, command, monkeypatch, undrawn
):
    words = [*words, *epochs(1, 2, 2), "--model.optimizer.momentum=0.5", "--model.pretraining_optimizer.momentum=0.5"]
    assert len(list(resumed_after_each_epoch(DigitDBM, words, 6, command, monkeypatch))) == 6


def test_the_bound_is_one_and_its_bracket_holds(words, command, digits, client):
    estimated = ["--model.ais_chains", "100", "--model.ais_temperatures", "500"]
    run = command.run(*words, *epochs(3, 10, 0), *EXACT, *estimated)
    metrics = run.data.metrics
    assert abs(metrics["test/log_partition_function"] - metrics["test/log_partition_function_exact"]) < max(
        0.05, 4 * metrics["test/log_likelihood_bound_error"]
    )
    bound = metrics["test/log_likelihood_bound_exact"]
    assert metrics["test/log_likelihood_bound_lower"] < bound < metrics["test/log_likelihood_bound_upper"]
    data = MNISTData(directory=str(digits), seed=0)
    data.setup("test")
    exact = exact_log_likelihood(load(run.info.run_id).net, binary_images(data, "test"))
    assert exact - 5 < bound <= exact + 1e-3


@pytest.mark.parametrize("given", [(0, 1, 0), (1, 0, 0)])
def test_pixels_begin_as_often_on_as_in_images_and_second_units_rarely(given, words, command, digits):
    still = ("--model.optimizer.lr", "0", "--model.pretraining_optimizer.lr", "0", "--model.initial_second_bias", "-3")
    net = load(command.run(*words, *epochs(*given), *still).info.run_id).net
    data = MNISTData(directory=str(digits), seed=0)
    data.setup("fit")
    means = data.train[0].flatten(1).mean(dim=0)
    torch.testing.assert_close(net.visible_bias.sigmoid(), means, rtol=0, atol=0.01)
    assert net.second_bias.unique().tolist() == [-3]


def test_joint_training_raises_the_bound(words, command, undrawn):
    words = [*words, *EXACT, "--model.hidden", "[12,8]", "--data.batch_size", "20"]
    short, longer = (command.run(*words, *epochs(*given)).data.metrics for given in ((5, 0, 0), (5, 20, 0)))
    assert longer["test/log_likelihood_bound_exact"] > short["test/log_likelihood_bound_exact"] + 5
    assert "test/accuracy" not in longer


def test_it_learns_to_classify(words, command, undrawn):
    words = [*words, "--model.hidden", "[64,32]", "--data.batch_size", "20", "--model.classifier_optimizer.lr", "0.01"]
    metrics = command.run(*words, *epochs(15, 5, 20)).data.metrics
    assert metrics["test/accuracy"] > 0.8


@pytest.mark.parametrize("given", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_phases_may_be_left_out(given, words, command):
    run = command.run(*words, *epochs(*given))
    history = training_history(command.client, run.info.run_id)
    assert len(history.get("val/reconstruction", [])) == 2 * given[0] + given[1]
    assert len(history.get("val/free_energy", [])) == given[1] and len(history.get("val/loss", [])) == given[2]
    assert {"test/reconstruction", "test/free_energy"} <= set(run.data.metrics)


def test_what_is_shown_of_it(words, command, client, tmp_path):
    run = command.run(*words, *epochs(1, 1, 1), "--model.sampling_chains", "20", "--model.sampling_steps", "[1,5]")
    lines = table(client, run, "chain_classes", tmp_path)
    assert [(line["start"], line["steps"]) for line in lines] == [
        (start, steps) for start in ("test images", "noise") for steps in (1, 5)
    ]
    assert {"samples/class_entropy", "samples/ones_and_nines"} <= set(run.data.metrics)
    machine, classifier = 784 * 8 + 8 * 5 + 784 + 8 + 5, 784 * 8 + 8 + 5 * 8 + 8 * 5 + 5 + 5 * 10 + 10
    assert run.data.metrics["parameters"] == machine + classifier
    names = ("filters", "second_layer_filters", "chains_from_noise", "chains_from_test_images", "reconstruction")
    assert {f"figures/{name}.png" for name in names} <= artifacts(client, run.info.run_id)


def test_it_comes_back_to_sample_encode_and_classify(words, command, undrawn):
    run = command.run(*words, *epochs(0, 1, 1))
    module = load(run.info.run_id)
    draw = [module.sample(3, torch.Generator().manual_seed(seed), steps=4) for seed in (0, 0, 1)]
    assert draw[0].shape == (3, 1, 28, 28) and torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2])
    assert float(draw[0].min()) >= 0 and float(draw[0].max()) <= 1
    assert module.encode(draw[0]).shape == (3, 5)
    torch.testing.assert_close(module(draw[0]).sum(dim=1), torch.ones(3))
    again = type(module).load_from_checkpoint(checkpoint(run))
    assert torch.equal(again.net.lower, module.net.lower)


@pytest.mark.parametrize("options", [["--trainer.precision", "bf16-mixed"], ["--trainer.precision", "64-true"]])
def test_other_precisions(options, words, command, undrawn):
    ours, plain = (command.run(*words, *epochs(1, 2, 1), *EXACT, *given).data.metrics for given in (options, []))
    for name in ("test/log_likelihood_bound_exact", "test/free_energy"):
        assert ours[name] == pytest.approx(plain[name], rel=0.02)


def test_an_average_over_pretraining_is_that_of_the_layers(words, command, undrawn):
    run = command.run(*words, *epochs(1, 0, 0), "--weight_averaging.decay", "0.9")
    module = load(run.info.run_id)
    torch.testing.assert_close(module.net.upper, module.learning.layer(2).weight)
    torch.testing.assert_close(module.net.lower, module.learning.layer(1).weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.hidden", "[8]"], "model.hidden [8] was given, expected the units of two layers"),
        (["--model.hidden", "[8,0]"], "model.hidden"),
        (epochs(0, 0, 0), "0 were given for all, expected one or more of one of them"),
        (["--model.joint_epochs", "-1"], "model.joint_epochs: -1 was given, expected a whole number ≥ 0"),
        (["--model.sampling_steps", "[]"], "model.sampling_steps [] was given"),
        (["--model.hidden", "[21,4]", *EXACT], "with 21 hidden units, expected 20 at most"),
        (["--model.ais_chains", "1000000000000"], "fit into memory; expected fewer"),
        (["--model.chains", "1000000000"], "fit: model.chains 1000000000 were given, but"),
        (["--model.optimizer", "LBFGS"], "the optimizer of phase joint: LBFGS was given"),
        (["--model.pretraining_optimizer.lr", "-1"], "fit: model.pretraining_optimizer.lr: -1.0 was given"),
        (["--checkpoint.monitor", "val/reconstruction"], "checkpoint.monitor val/reconstruction: expected one of"),
    ],
)
def test_wrong_words_leave_no_run(options, message, words, command):
    before = len(command.runs())
    assert_refused(command(*words, *options), message)
    assert len(command.runs()) == before
