from math import log10

import pytest
import torch
from sklearn.decomposition import PCA

from lit_anndl import load
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.features.autoencoder import DigitAutoencoder
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table

SHORT = ["autoencoder", "--data.train_size", "400", "--data.test_size", "100", "--trainer.max_epochs", "3"]


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *words)


@pytest.mark.parametrize(("hidden", "parameters"), [("[]", 784 * 8 * 2 + 8 + 784), ("[30,20]", 49_452)])
def test_the_decoder_mirrors_the_encoder(hidden, parameters, fit):
    run = fit("--model.code", "8", "--model.hidden", hidden)
    module = load(run.info.run_id)
    shapes = [tuple(weights.shape) for weights in module.parameters() if weights.dim() == 2]
    assert shapes == [shape[::-1] for shape in shapes[::-1]]
    assert sum(weights.numel() for weights in module.parameters()) == run.data.metrics["parameters"] == parameters


def test_codes_lead_back_to_what_was_tested(fit, digits):
    run = fit("--model.code", "8")
    module = load(run.info.run_id)
    data = MNISTData(directory=str(digits), train_size=400, test_size=100, seed=0)
    data.setup("test")
    images = data.test[0]
    codes = module.encode(images)
    assert codes.shape == (100, 8) and codes.min() >= 0
    outputs = module.decode(codes)
    assert torch.equal(outputs, module(images)) and outputs.min() >= 0 and outputs.max() <= 1
    assert float((outputs - images).square().mean()) == pytest.approx(run.data.metrics["test/mse"], rel=1e-5)
    again = DigitAutoencoder.load_from_checkpoint(checkpoint(run))
    assert torch.equal(again(images), outputs)


@pytest.mark.parametrize("binarization", ["none", "threshold"])
def test_principal_components_are_those_of_the_training_images(binarization, fit, digits):
    run = fit("--model.code", "8", "--data.binarization", binarization)
    data = MNISTData(directory=str(digits), train_size=400, test_size=100, validation_fraction=0.2, seed=0)
    data.setup("test")
    train, test = (images.flatten(1).double().numpy() for images in (data.train[0], data.test[0]))
    if binarization == "threshold":  # what the net learns from
        train, test = ((images > 0.5).astype(float) for images in (train, test))
    pca = PCA(8).fit(train)
    error = (pca.inverse_transform(pca.transform(test)).clip(0, 1) - test) ** 2
    assert run.data.metrics["pca/mse"] == pytest.approx(error.mean(), rel=1e-4)


def test_errors_in_db_and_by_class(fit, command, tmp_path):
    run = fit("--model.code", "8", "--model.tsne_images", "0")
    mse = run.data.metrics["test/mse"]
    assert run.data.metrics["test/psnr"] == pytest.approx(-10 * log10(mse), rel=1e-5)
    lines = table(command.client, run, "classes", tmp_path)
    assert [line["class"] for line in lines] == list(range(10))
    images = [line["images"] for line in lines]
    for name, whole in (("mse", mse), ("pca mse", run.data.metrics["pca/mse"])):
        parts = sum(line[name] * line["images"] for line in lines) / sum(images)
        assert sum(images) == 100 and parts == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("code", "images", "mapped"), [(2, 0, True), (3, 0, False), (3, 50, True), (3, 1, False), (1, 50, False)]
)
def test_codes_in_the_plane_are_drawn(code, images, mapped, fit, command):
    run = fit("--model.code", str(code), "--model.tsne_images", str(images))
    names = {item.path for item in command.client.list_artifacts(run.info.run_id, "figures")}
    assert {"figures/reconstructions.png", "figures/weights_encoder.png", "figures/weights_decoder.png"} <= names
    assert ("figures/code_map.png" in names) is mapped


def test_dead_codes_are_not_drawn(fit, command):
    run = fit("--model.code", "8", "--model.optimizer", "SGD", "--model.optimizer.lr", "1e4")
    codes = load(run.info.run_id).encode(torch.rand(5, 1, 28, 28))
    assert not codes.any()
    names = {item.path for item in command.client.list_artifacts(run.info.run_id, "figures")}
    assert "figures/reconstructions.png" in names and "figures/code_map.png" not in names


def test_a_code_larger_than_the_components(command, digits):
    code, _, err = command(*SHORT, "--data.directory", str(digits), "--model.code", "321")
    assert (code, err) == (2, "fit: model.code 321 was given, expected 320 at most: as many pixels or images\n")


def test_of_binary_images_no_grey_ones_are_measured(fit):
    names = fit("--model.quality_samples", "20", "--data.binarization", "threshold").data.metrics
    assert "quality/fid" in names and not [name for name in names if name.startswith("latent/")]


def test_codes_are_fitted_by_a_gaussian_whose_samples_are_measured(fit, client):
    run = fit("--model.quality_samples", "50")
    metrics = run.data.metrics
    assert metrics["latent/mse"] == pytest.approx(metrics["test/mse"], rel=1e-4)
    assert metrics["latent/path_length"] > 0 and metrics["quality/fid"] > 0
    assert {"figures/samples.png", "figures/nearest.png"} <= artifacts(client, run.info.run_id)


def test_weights_begin_in_glorots_range():
    module = DigitAutoencoder(torch.optim.Adam, code=30, hidden=[100, 50], glorot_gain=2.0)
    for layer in module.net.modules():
        if isinstance(layer, torch.nn.Linear):
            bound = 2 * (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max() <= bound
            assert not layer.bias.any()
