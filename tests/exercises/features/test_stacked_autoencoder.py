"""The stacked autoencoder, through the command."""

import signal
from itertools import pairwise

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.svm import SVC
from torch.nn.functional import cross_entropy

from lit_anndl import load
from lit_anndl.callbacks import progress
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.features.stacked_autoencoder import StackedDigitAutoencoder
from tests.support.phases import resumed_after_each_epoch
from tests.support.processes import assert_equal_runs, checkpoint, finish, runs, training_history
from tests.support.recorded import artifacts, table

EXERCISE = "stacked_autoencoder"
SIZES = ["--data.train_size", "200", "--data.test_size", "100", "--data.batch_size", "40"]
SHORT = [EXERCISE, *SIZES, "--model.hidden", "[12,8]", "--model.tsne_images", "0", "--model.svm_components", "0"]
PHASES = ["--model.pretraining_epochs", "2", "--model.classifier_epochs", "2", "--model.fine_tuning_epochs", "2"]
FIGURES = {"mse", "loss", "accuracy", "accuracy_by_phase", "gradient_norms", "features", "reconstructions"}


def words_of(pretraining, classifier, fine_tuning):
    names = ("pretraining", "classifier", "fine_tuning")
    numbers = (pretraining, classifier, fine_tuning)
    return [f"--model.{name}_epochs={number}" for name, number in zip(names, numbers, strict=True)]


@pytest.fixture
def words(digits):
    return [*SHORT, "--data.directory", str(digits)]


@pytest.fixture
def data(digits):
    data = MNISTData(directory=str(digits), train_size=200, test_size=100, validation_fraction=0.2, seed=0)
    data.setup("test")
    return data


@pytest.fixture
def undrawn(monkeypatch):
    """Runs without figures."""
    monkeypatch.setattr(StackedDigitAutoencoder, "figures", lambda *_: iter(()))


@pytest.mark.parametrize("epochs, told", [(1, "1, of 8 planned ("), (8, "8 (")])
def test_a_run_that_ends_before_its_phases_do_says_so(words, command, monkeypatch, undrawn, epochs, told):
    said = []
    monkeypatch.setattr(progress, "announce", said.append)
    command.run(*words, *PHASES, "--trainer.max_epochs", str(epochs))
    (line,) = [line for line in said if line.startswith("training begins")]
    assert line.startswith(f"training begins with epoch 1 of {told}")


def test_each_phase_moves_its_own_weights(words, command, monkeypatch, undrawn):
    states, begin = [], StackedDigitAutoencoder.on_train_epoch_start

    def kept(self):
        states.append({name: tensor.clone() for name, tensor in self.state_dict().items()})
        begin(self)

    monkeypatch.setattr(StackedDigitAutoencoder, "on_train_epoch_start", kept)
    run = command.run(*words, *words_of(1, 1, 1))
    states.append(torch.load(checkpoint(run), weights_only=True)["state_dict"])
    moved = [
        {".".join(name.split(".")[:3]) for name in after if not torch.equal(before[name], after[name])}
        for before, after in pairwise(states)
    ]
    layers = [f"net.perceptron.{number}" for number in (0, 2, 4)]
    assert moved[:3] == [{layers[0], "net.decoders.0"}, {layers[1], "net.decoders.1"}, {layers[2]}]
    assert {name for name in moved[3] if name.startswith("net.")} == set(layers)
    *_, begun_with, ended = states
    for name in [name for name in ended if name.startswith("before.")]:
        assert torch.equal(ended[name], begun_with[name.replace("before.", "net.perceptron.")])


def test_a_run_interrupted_in_any_phase_or_between_two_goes_on_as_if_it_had_not_been(
    words, command, monkeypatch, undrawn
):
    momentum = [f"--model.{name}.momentum=0.9" for name in ("pretraining_optimizer", "classifier_optimizer")]
    words = [*words, *PHASES, *momentum, "--model.optimizer=Adam", "--model.optimizer.lr=0.01"]
    for resumed, whole in resumed_after_each_epoch(StackedDigitAutoencoder, words, 7, command, monkeypatch):
        norms = [torch.load(checkpoint(run), weights_only=True)["gradient_norms"] for run in (resumed, whole)]
        assert norms[0] == norms[1] and len(norms[0]) == 2


def test_averages_begin_anew_with_each_phase(words, command, data, monkeypatch, undrawn):
    words = [*words, "--data.steps_per_execution", "1", "--weight_averaging.decay", "0.7"]
    begun_with, begin = [], StackedDigitAutoencoder.on_train_epoch_start

    def kept(self):
        begun_with.append({name: tensor.clone() for name, tensor in self.net.perceptron.state_dict().items()})
        begin(self)

    monkeypatch.setattr(StackedDigitAutoencoder, "on_train_epoch_start", kept)
    frozen = load(command.run(*words, *PHASES, "--trainer.max_epochs", "6").info.run_id).net.perceptron
    for name, tensor in frozen.state_dict().items():  # the layers stand still while the classifier is trained
        assert torch.equal(tensor, begun_with[4][name]) is not name.startswith("4.")
    begun_with.clear()
    run = command.run(*words, *PHASES)
    module = load(run.info.run_id)
    assert module.is_fine_tuned
    for name, tensor in module.before.state_dict().items():
        assert torch.equal(tensor, begun_with[6][name])
    images, labels = data.test
    before = module.before(images.flatten(1)).argmax(1) == labels
    assert float(before.float().mean()) == pytest.approx(run.data.metrics["before_fine_tuning/accuracy"])
    for epochs in ("4", "6", "7"):  # the last of a phase, and within one
        part = command.run(*words, *PHASES, "--trainer.max_epochs", epochs)
        again = command.run(EXERCISE, "--resume", part.info.run_id, "--trainer.max_epochs", "null")
        resumed, whole = (torch.load(checkpoint(each), weights_only=True) for each in (again, run))
        for kind in ("state_dict", "current_model_state"):
            assert all(torch.equal(tensor, resumed[kind][name]) for name, tensor in whole[kind].items())
        for name in ("val/loss", "test/loss", "before_fine_tuning/accuracy"):
            assert again.data.metrics[name] == run.data.metrics[name]


def test_more_epochs_than_planned_and_fewer(words, command, undrawn):
    words, more = [*words, *PHASES], ["--trainer.max_epochs", "10"]
    whole, longer, part = (command.run(*words, *own) for own in ([], more, ["--trainer.max_epochs", "3"]))
    history = training_history(command.client, whole.info.run_id)
    assert [epoch for epoch, _ in history["train/mse"]] == [0, 1, 2, 3]
    assert [epoch for epoch, _ in history["val/loss"]] == [4, 5, 6, 7]
    assert not checkpoint(part).with_name("best.ckpt").exists()  # a layer's reconstruction is no classification
    again = command.run(EXERCISE, "--resume", part.info.run_id, "--trainer.max_epochs", "null")
    assert again.data.metrics["test/loss"] == whole.data.metrics["test/loss"]
    for begun in (whole, part):
        grown = command.run(EXERCISE, "--resume", begun.info.run_id, *more)
        histories = [training_history(command.client, run.info.run_id) for run in (grown, longer)]
        for name in ("train/mse", "val/mse", "train/loss", "train/accuracy", "val/loss", "val/accuracy"):
            assert histories[0][name] == histories[1][name]
        assert grown.data.metrics["test/loss"] == longer.data.metrics["test/loss"]
    for epochs in ("8", "null"):
        code, _, err = command(EXERCISE, "--resume", longer.info.run_id, "--trainer.max_epochs", epochs)
        assert code == 2 and "only trainer.max_epochs may grow" in err


def test_everything_is_recorded(words, command, data, tmp_path):
    run = command.run(*words, *PHASES, "--model.tsne_images", "40", "--model.optimizer.lr", "0.3")
    names = {f"figures/{name}.png" for name in (*FIGURES, "code_maps")}
    assert artifacts(command.client, run.info.run_id, "figures") == names
    metrics = run.data.metrics
    assert metrics["parameters"] == 784 * 12 + 12 + 12 * 8 + 8 + 8 * 10 + 10  # no decoders
    lines = table(command.client, run, "gradient_norms", tmp_path)
    assert [line["epoch"] for line in lines] == [6, 7]
    assert all(line[name] > 0 for line in lines for name in ("layer 1", "layer 2", "classifier"))
    module = load(run.info.run_id)
    images, labels = data.test
    scores = module(images)
    assert scores.shape == (100, 10) and torch.equal(module.net(images), scores)
    assert module.encode(images).shape == (100, 8)
    assert float(cross_entropy(scores, labels)) == pytest.approx(metrics["test/loss"], rel=1e-5)
    assert float((scores.argmax(1) == labels).float().mean()) == pytest.approx(metrics["test/accuracy"])
    before = module.before(images.flatten(1)).argmax(1) == labels
    assert float(before.float().mean()) == pytest.approx(metrics["before_fine_tuning/accuracy"])
    again = StackedDigitAutoencoder.load_from_checkpoint(checkpoint(run))
    assert torch.equal(again(images), scores)


def test_a_run_that_had_only_to_be_tested_is_shown_as_one_that_had_not(words, command, monkeypatch):
    whole = command.run(*words, *words_of(1, 1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(StackedDigitAutoencoder, "on_test_start", lambda _: signal.raise_signal(signal.SIGTERM))
        code, _, err = command(*words, *words_of(1, 1, 1))
    assert code == 143
    resumed = command.run(EXERCISE, "--resume", err.split()[-1])
    assert_equal_runs(command.client, resumed.info.run_id, whole.info.run_id)
    drawn = [artifacts(command.client, run.info.run_id, "figures") for run in (resumed, whole)]
    assert drawn[0] == drawn[1] and "figures/reconstructions.png" in drawn[0]
    short = command.run(*words, *words_of(1, 1, 1), "--trainer.max_epochs", "1")  # ends before there is a classifier
    for run in (resumed, short):
        assert run.data.metrics["parameters"] == whole.data.metrics["parameters"]


def test_a_rival_learns_from_the_same_images(words, command, data, undrawn):
    run = command.run(*words, *words_of(0, 1, 0), "--model.svm_components", "20")
    (images, labels), (test_images, test_labels) = data.train, data.test
    pca = PCA(20, random_state=0).fit(images.flatten(1))
    machine = SVC(C=10).fit(pca.transform(images.flatten(1)), labels)
    accuracy = machine.score(pca.transform(test_images.flatten(1)), test_labels)
    assert run.data.metrics["pca_svm/accuracy"] == pytest.approx(accuracy)


def test_gradients_are_those_of_the_loss(words, command, data, tmp_path):
    """With one batch per epoch, from the weights that fine-tuning began with."""
    run = command.run(*words, *words_of(0, 0, 1), "--data.batch_size", "160")
    module = load(run.info.run_id)
    net = module.before.requires_grad_(True)
    images, labels = data.train
    cross_entropy(net(images.flatten(1)), labels).backward()
    (line,) = table(command.client, run, "gradient_norms", tmp_path)
    expected = [float(net[number].weight.grad.norm()) for number in (0, 2, 4)]
    assert [line[name] for name in ("layer 1", "layer 2", "classifier")] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("epochs", [(0, 0, 2), (0, 1, 1), (1, 1, 0)])
def test_phases_may_be_left_out(epochs, words, command):
    run = command.run(*words, *words_of(*epochs))
    history, metrics = training_history(command.client, run.info.run_id), run.data.metrics
    assert len(history.get("train/mse", [])) == 2 * epochs[0]
    assert len(history["train/loss"]) == sum(epochs[1:])
    assert checkpoint(run).with_name("best.ckpt").exists()
    drawn = artifacts(command.client, run.info.run_id, "figures")
    assert ("figures/reconstructions.png" in drawn) is bool(epochs[0])  # untrained decoders have nothing to show
    if not epochs[2]:
        assert metrics["before_fine_tuning/accuracy"] == pytest.approx(metrics["test/accuracy"])


@pytest.mark.parametrize(("epochs", "whether"), [("2", False), ("3", True)])
def test_decoders_are_shown_once_the_last_of_them_has_begun_to_learn(epochs, whether, words, command):
    own = ["--model.quality_samples", "40", "--trainer.max_epochs", epochs]
    run = command.run(*words, *PHASES, *own)
    assert ("figures/reconstructions.png" in artifacts(command.client, run.info.run_id, "figures")) is whether
    assert ("latent/mse" in run.data.metrics) is ("quality/fid" in run.data.metrics) is whether


@pytest.mark.parametrize(("hidden", "drawn"), [("[6]", False), ("[5,4,2]", True), ("[4,1]", False)])
def test_any_depth(hidden, drawn, words, command):
    run = command.run(*words, *words_of(1, 1, 1), "--model.hidden", hidden, "--model.activation", "tanh")
    depth = hidden.count(",") + 1
    assert len(training_history(command.client, run.info.run_id)["train/mse"]) == depth
    assert ("figures/code_maps.png" in artifacts(command.client, run.info.run_id, "figures")) is drawn


def test_codes_without_neighbours_are_not_drawn(words, command):
    run = command.run(*words, *words_of(0, 1, 0), "--model.tsne_images", "3")
    assert "figures/code_maps.png" not in artifacts(command.client, run.info.run_id, "figures")


def test_learns(words, command):
    learning = ["--model.pretraining_optimizer=Adam", "--model.optimizer=Adam", "--model.optimizer.lr=0.01"]
    run = command.run(*words, *words_of(3, 0, 20), *learning, "--model.hidden", "[64,32]", "--data.batch_size", "20")
    assert run.data.metrics["test/accuracy"] > 0.9
    assert training_history(command.client, run.info.run_id)["train/mse"][2][1] < 0.1


def test_early_stopping_looks_at_the_last_phase_alone(words, command, undrawn):
    stopping = ["--early_stopping.patience", "2", "--early_stopping.min_delta", "0.01", "--checkpoint.monitor"]
    stopping += ["val/loss", "--checkpoint.mode", "min"]
    rates = ["--model.optimizer.lr", "1e-9", "--model.classifier_optimizer.lr", "1e-9"]
    words = [*words, *words_of(1, 5, 8), *stopping, *rates]
    whole = command.run(*words)
    history = training_history(command.client, whole.info.run_id)
    assert len(history["train/mse"]) == 2 and len(history["val/loss"]) == 5 + 3  # the classifier's are not cut short
    assert whole.data.metrics["best/epoch"] == 7
    # the weights tested are those of fine-tuning's first epoch, which hardly changed them
    metrics = whole.data.metrics
    assert metrics["before_fine_tuning/accuracy"] == pytest.approx(metrics["test/accuracy"])
    for epochs in ("6", "8"):
        part = command.run(*words, "--trainer.max_epochs", epochs)
        assert ("best/epoch" in part.data.metrics) is (epochs == "8")
        again = command.run(EXERCISE, "--resume", part.info.run_id, "--trainer.max_epochs", "null")
        resumed = training_history(command.client, again.info.run_id)
        assert resumed["val/loss"] == history["val/loss"]
        assert again.data.metrics["test/loss"] == metrics["test/loss"]


def test_two_processes_train_what_one_does(words, command, store_uri):
    words = [*words, *words_of(1, 1, 1), "--trainer.accelerator", "cpu"]
    one = command.run(*words).data.metrics
    code, _, err = finish(*words, "--trainer.devices", "2", "--data.batch_size", "20", store=store_uri)
    assert code == 0, err
    two = runs(command.client)[0].data.metrics
    for name in ("train/mse", "train/loss", "val/loss", "test/loss", "before_fine_tuning/accuracy", "parameters"):
        assert one[name] == pytest.approx(two[name], rel=1e-4)


def test_help_says_how_many_epochs_there_are(command):
    _, out, _ = command(EXERCISE, "--help")
    assert "--trainer.max_epochs null" in out and "80 as it is" in " ".join(out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.hidden", "[]"], "model.hidden: [] was given, expected the units of one layer or more"),
        (["--model.hidden", "[8,0]"], "model.hidden"),
        (["--model.hidden", "[-3]"], "model.hidden"),
        (["--model.pretraining_epochs", "-1"], "model.pretraining_epochs: -1 was given, expected a whole number ≥ 0"),
        (words_of(0, 0, 0), "model.classifier_epochs and model.fine_tuning_epochs: 0 were given for both"),
        (words_of(5, 0, 0), "model.classifier_epochs and model.fine_tuning_epochs: 0 were given for both"),
        (["--checkpoint.monitor", "val/mse"], "checkpoint.monitor val/mse: expected one of train/loss, train/accuracy"),
        (
            [*words_of(0, 1, 1), "--model.quality_samples", "40"],
            "model.quality_samples 40 was given, expected 0 without pretraining",
        ),
        (["--model.svm_components", "161"], "model.svm_components 161 was given, expected 160 at most"),
        (["--model.optimizer", "LBFGS"], "the optimizer of phase fine-tuning: LBFGS was given"),
        (["--model.pretraining_optimizer.lr", "-1"], "fit: model.pretraining_optimizer.lr: -1.0 was given, expected a"),
        (["--model.classifier_optimizer.lr", "-0.1"], "fit: model.classifier_optimizer.lr: -0.1 was given, expected a"),
    ],
)
def test_wrong_words(options, message, words, command):
    before = len(command.runs())
    code, out, err = command(*words, *options)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert len(command.runs()) == before


def test_samples_of_the_pretrained_code_are_measured(words, command, data):
    run = command.run(*words, *words_of(4, 1, 1), "--model.quality_samples", "40")
    module = load(run.info.run_id)
    metrics = run.data.metrics
    with torch.no_grad():
        codes = module.before[:-1](data.test[0].flatten(1))
        for k in (2, 1):
            codes = module.net.decode(codes, k)
    error = (codes - data.test[0].flatten(1)).square().mean().item()
    assert metrics["latent/mse"] == pytest.approx(error, rel=1e-4)
    assert metrics["latent/path_length"] > 0 and metrics["quality/fid"] > 0
