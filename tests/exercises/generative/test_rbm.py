import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.optim import SGD

from lit_anndl import load
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.rbm import DigitRBM
from lit_anndl.nets.pseudo_likelihood import exact
from lit_anndl.runtime.errors import InputError
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table
from tests.support.refusals import assert_refused

SHORT = ["rbm", "--model.hidden", "8", "--data.batch_size", "20", "--trainer.max_epochs", "2"]
NOTHING = ["--model.ais_chains", "0", "--model.sampling_chains", "0", "--model.inpainting_steps", "0"]
LIKELIHOOD = ["--model.ais_chains", "100", "--model.ais_temperatures", "145"]
CHAINS = ["--model.sampling_chains", "20", "--model.sampling_steps", "[1,10,12]"]
INPAINTING = ["--model.inpainting_steps", "2", "--model.inpainting_images", "20"]


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *NOTHING, *words)


def weights(run):
    return torch.load(checkpoint(run).with_name("last.ckpt"), weights_only=True)["state_dict"]


def test_metrics_are_those_of_the_machine(fit, digits):
    run = fit("--data.binarization", "threshold")
    machine = load(run.info.run_id).net
    data = MNISTData(directory=str(digits), binarization="threshold", seed=0)
    data.setup("test")
    v = data.test[0].flatten(1)
    metrics = run.data.metrics
    assert metrics["test/exact_pseudo_likelihood"] == pytest.approx(float(exact(machine, v).mean()), rel=1e-4)
    assert metrics["test/free_energy"] == pytest.approx(float(machine.free_energy(v).mean()), rel=1e-4)
    watched = data.train[0][: len(data.validation[0])]
    v = data.binarized("watched", (watched,))[0].flatten(1)
    assert metrics["train/free_energy"] == pytest.approx(float(machine.free_energy(v).mean()), rel=1e-3)


def test_all_pixels_are_flipped_in_few_validation_images(fit, digits, monkeypatch):
    monkeypatch.setattr("lit_anndl.exercises.generative.rbm.VALIDATED", 3)
    run = fit("--data.binarization", "threshold")
    data = MNISTData(directory=str(digits), binarization="threshold", seed=0)
    data.setup("fit")
    few = exact(load(run.info.run_id).net, data.validation[0][:3].flatten(1)).mean()
    assert run.data.metrics["val/exact_pseudo_likelihood"] == pytest.approx(float(few), rel=1e-4)


@pytest.mark.parametrize("words", [(), ("--model.gibbs_steps", "3"), ("--model.persistent", "true")])
def test_it_learns(words, fit):
    options = ("--model.optimizer.lr", "0.05", "--data.binarization", "dynamic", *words)
    first, later = (fit(*options, "--trainer.max_epochs", epochs).data.metrics for epochs in ("1", "15"))
    for metric in ("val/exact_pseudo_likelihood", "test/exact_pseudo_likelihood"):
        assert later[metric] > first[metric] + 10
    assert later["train/reconstruction"] < first["train/reconstruction"]


def test_likelihood_is_bracketed_and_exact_where_it_can_be(fit):
    metrics = fit("--trainer.max_epochs", "5", "--model.optimizer.lr", "0.05", *LIKELIHOOD).data.metrics
    exact_log_z, log_z = metrics["test/log_partition_function_exact"], metrics["test/log_partition_function"]
    assert log_z in [metrics[f"test/log_partition_function_from_{base}"] for base in ("images", "noise")]
    assert metrics["test/log_partition_function_least"] < exact_log_z
    assert abs(exact_log_z - log_z) < 3 * metrics["test/log_likelihood_error"] + 0.05
    told, likelihood = metrics["test/log_likelihood"], metrics["test/log_likelihood_exact"]
    assert likelihood == pytest.approx(told + log_z - exact_log_z, abs=1e-3)
    assert metrics["test/log_likelihood_lower"] < likelihood < metrics["test/log_likelihood_upper"]
    assert metrics["test/log_likelihood_lower"] < told <= metrics["test/log_likelihood_upper"]


def test_chains_and_filled_in_images_are_told_by_the_classifier(fit, client, tmp_path):
    run = fit(*CHAINS, *INPAINTING)
    lines = table(client, run, "chain_classes", tmp_path)
    assert [(line["start"], line["steps"]) for line in lines] == [
        ("test images", 1),
        ("test images", 10),
        ("test images", 12),
        ("noise", 1),
        ("noise", 10),
        ("noise", 12),
    ]
    for line in lines:
        shares = [line[str(digit)] for digit in range(10)]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
    entropy = -sum(share * math.log2(share) for share in shares if share)
    assert lines[-1]["entropy [bits]"] == pytest.approx(entropy, abs=1e-4)
    assert run.data.metrics["samples/class_entropy"] == pytest.approx(entropy, abs=1e-4)
    assert run.data.metrics["samples/class_entropy_10_steps"] == pytest.approx(lines[-2]["entropy [bits]"], abs=1e-4)
    (ends,) = [line for line in lines if (line["start"], line["steps"]) == ("test images", 12)]
    assert run.data.metrics["samples/ones_and_nines"] == pytest.approx(ends["1"] + ends["9"], abs=1e-6)
    times = {"samples/autocorrelation_time", "samples/autocorrelation_time_at_least"} & set(run.data.metrics)
    assert len(times) == 1 and run.data.metrics[times.pop()] <= 10
    filled = table(client, run, "inpainting", tmp_path)
    six = [line["accuracy"] for line in filled if line["clamped"] and line["rows"] == 6]
    assert run.data.metrics["inpainting/accuracy_6_rows"] == pytest.approx(sum(six) / 3, abs=1e-6)
    assert {(line["place"], line["clamped"]) for line in filled} == {
        (place, clamped) for place in ("top", "middle", "bottom") for clamped in (True, False)
    }
    untouched = [line for line in filled if line["clamped"] and line["rows"] == 0]
    assert len({line["accuracy"] for line in untouched}) == 1 and all(line["squared error"] == 0 for line in untouched)
    (classifier,) = table(client, run, "classifier", tmp_path)
    assert len(classifier["SHA-256"]) == 64
    names = ("chains_from_noise", "chains_from_test_images", "inpainting", "inpainting_errors", "filters")
    assert {f"figures/{name}.png" for name in names} <= artifacts(client, run.info.run_id)


@pytest.mark.parametrize(
    ("persistent", "words"), [("false", ()), ("true", ()), ("true", ("--model.restart_probability", "0.1"))]
)
def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(persistent, words, fit, command):
    options = ("--model.persistent", persistent, *words, "--data.binarization", "dynamic", "--model.centred", "true")
    whole = fit(*options, "--trainer.max_epochs", "4")
    part = fit(*options, "--trainer.max_epochs", "2")
    again = command.run("rbm", "--resume", part.info.run_id, "--trainer.max_epochs", "4")
    one, other = weights(whole), weights(again)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert ("chain_states" in one) and bool(one["chain_states"].any()) is (persistent == "true")
    for metric in ("train/reconstruction", "val/exact_pseudo_likelihood", "test/pseudo_likelihood"):
        assert whole.data.metrics[metric] == again.data.metrics[metric]


@pytest.mark.parametrize(
    ("precision", "rel"), [("64-true", 0.02), ("bf16-mixed", 1e-4)]
)  # which draw otherwise, or not
def test_other_precisions(precision, rel, fit):
    run = fit("--trainer.precision", precision, *LIKELIHOOD, *CHAINS, *INPAINTING)
    plain = fit(*LIKELIHOOD)
    ours, theirs = run.data.metrics, plain.data.metrics
    assert ours["test/log_likelihood"] == pytest.approx(theirs["test/log_likelihood"], rel=0.02)
    for name in ("free_energy", "pseudo_likelihood"):  # the latter from small differences of the former
        assert ours[f"test/{name}"] == pytest.approx(theirs[f"test/{name}"], rel=rel)


def test_pixels_that_are_no_probabilities_are_refused():
    images = {name: (torch.rand(5, 1, 28, 28),) for name in ("train", "validation", "test")}
    module = DigitRBM(partial(SGD, lr=0.1), ais_chains=0)
    module.check(SimpleNamespace(**images))
    images["validation"][0][2] = 255.0
    with pytest.raises(InputError, match=r"data: pixels from 0\S* to 255 were given, expected 0 to 1"):
        module.check(SimpleNamespace(**images))


def test_float16_is_refused_for_want_of_a_loss(command, digits, tmp_path):
    """The precision by name would be bf16-mixed on a CPU."""
    config = tmp_path / "half.yaml"
    config.write_text("""
trainer:
  plugins:
    - class_path: lightning.pytorch.plugins.precision.MixedPrecision
      init_args:
        precision: 16-mixed
        device: cpu
        scaler: {class_path: torch.amp.GradScaler, init_args: {device: cpu}}
""")
    says = "trainer.precision 16-mixed was given, expected 32-true, 64-true or bf16-mixed"
    command.refuses("rbm", "--data.directory", str(digits), "--config", str(config), says=says)


def test_averaged_weights_are_those_of_the_machine(fit):
    run = fit("--weight_averaging.decay", "0.5", "--model.persistent", "true")
    state = torch.load(checkpoint(run).with_name("last.ckpt"), weights_only=True)
    averaged, trained = (state[kind]["net.weight"] for kind in ("state_dict", "current_model_state"))
    assert torch.equal(load(run.info.run_id).net.weight, averaged) and not torch.equal(averaged, trained)


def test_it_comes_back_to_sample_encode_and_decode(fit):
    run = fit("--model.persistent", "true")
    module = load(run.info.run_id)
    draw = [module.sample(3, torch.Generator().manual_seed(seed), steps=4) for seed in (0, 0, 1)]
    assert draw[0].shape == (3, 1, 28, 28) and torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2])
    assert float(draw[0].min()) >= 0 and float(draw[0].max()) <= 1
    codes = module.encode(draw[0])
    assert codes.shape == (3, 8) and torch.equal(module.decode(codes), module(draw[0]))
    again = type(module).load_from_checkpoint(checkpoint(run))
    assert torch.equal(again.net.weight, module.net.weight)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.optimizer", "LBFGS"], "model.optimizer: LBFGS was given, expected one without a line search"),
        (["--trainer.accelerator", "cpu", "--trainer.devices", "2"], "trainer.devices: 2 processes"),
        (
            ["--model.lr_scheduler", "CosineAnnealingLR", "--model.lr_scheduler.T_max", "1"],
            "trainer.max_epochs: 2 was given, expected 1 at most, as model.lr_scheduler.T_max says",
        ),
        (["--model.gibbs_steps", "0"], "model.gibbs_steps: 0 was given, expected"),
        (
            ["--model.restart_probability", "0.1"],
            "given with chains that begin at the data, expected --model.persistent",
        ),
        (["--model.restart_probability", "2"], "model.restart_probability: 2 was given"),
        (["--model.region", "[9,9]"], "model.region [9, 9] was given, expected [first, last] with first < last ≤ 28"),
        (["--model.region", "[20,29]"], "model.region [20, 29] was given"),
        (["--model.sampling_steps", "[]"], "model.sampling_steps [] was given"),
        (["--model.sampling_steps", "[0]"], "model.sampling_steps"),
        (["--model.hidden", "21", "--model.enumerate_states", "true"], "with 21 hidden units, expected 20 at most"),
        (["--model.ais_chains", "1000000000000"], "fit into memory; expected fewer"),
        (["--data.binarization", "fixed"], "data.binarization"),
    ],
)
def test_wrong_words_leave_no_run(words, said, command, digits):
    before = len(command.runs())
    assert_refused(command(*SHORT, "--data.directory", str(digits), *NOTHING, *words), said)
    assert len(command.runs()) == before


def test_the_quality_of_samples_is_measured_where_it_is_asked_for(fit):
    assert "quality/fid" not in fit().data.metrics
    metrics = fit("--model.quality_samples", "20").data.metrics
    assert 0 <= metrics["quality/coverage"] <= 1
    assert metrics["quality/fid"] > metrics["quality/fid_floor"]
