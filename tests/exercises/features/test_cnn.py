import pytest
import torch

from lit_anndl import load
from lit_anndl.data.mnist import MNISTData
from tests.support.recorded import artifacts, table

SHORT = ["cnn", "--data.train_size", "300", "--data.test_size", "100", "--trainer.max_epochs", "1"]


@pytest.fixture
def run(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *words)


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        ([], 49_302),
        (["--model.variant", "model_3"], 11_498),
        (["--model.variant", "model_3", "--model.batch_norm", "true"], 11_498 + 2 * 24),
        (["--model.variant", "mlp", "--model.head_batch_norm", "true"], 49_300 + 2 * 62),
        (["--model.channels", "[]", "--model.head", "[20]"], 784 * 20 + 20 + 210),
        (["--model.channels", "[4]", "--model.pooling", "2", "--model.head", "[]"], 40 + 4 * 13 * 13 * 10 + 10),
        (["--model.channels", "[4,6]", "--model.kernels", "[5,3]", "--model.last_pooling", "max"], 104 + 222 + 1710),
    ],
)
def test_a_variant_or_a_layout_of_ones_own(words, parameters, run):
    assert run(*words).data.metrics["parameters"] == parameters


def test_shifts_are_measured_and_sizes_told(run, client, tmp_path):
    found = run()
    shifts = table(client, found, "shifts", tmp_path)
    assert [line["shift"] for line in shifts] == list(range(7))
    assert shifts[0]["accuracy"] == pytest.approx(found.data.metrics["test/accuracy"])
    cut = [line["cut off"] for line in shifts]
    assert cut[0] == 0 and cut == sorted(cut)
    for line in shifts[1:]:
        assert line["accuracy"] == found.data.metrics[f"test/accuracy_shifted_{line['shift']}"]
    fields = [line["receptive field"] for line in table(client, found, "sizes", tmp_path)]
    assert fields == [1, 3, 7, 15, 23]
    wanted = {f"figures/{name}.png" for name in ("loss", "accuracy", "confusion_matrix", "worst_mistakes", "shifts")}
    assert wanted | {"figures/filters.png"} <= artifacts(client, found.info.run_id)


def test_accuracy_on_shifted_images_is_the_mean_of_four_directions(run, digits):
    found = run()
    module = load(found.info.run_id)
    data = MNISTData(directory=str(digits), train_size=300, test_size=100, seed=0)
    data.setup("test")
    images, labels = data.test
    blank = torch.zeros(len(images), 1, 28, 2)
    left, right = torch.cat([images[..., 2:], blank], dim=3), torch.cat([blank, images[..., :-2]], dim=3)
    up, down = torch.cat([images[:, :, 2:], blank.mT], dim=2), torch.cat([blank.mT, images[:, :, :-2]], dim=2)
    with torch.no_grad():
        accuracies = [(module(each).argmax(dim=1) == labels).double().mean() for each in (left, right, up, down)]
    assert found.data.metrics["test/accuracy_shifted_2"] == pytest.approx(float(sum(accuracies)) / 4)


def test_receptive_fields_are_what_gradients_see(run):
    net = load(run().info.run_id).net
    image = torch.rand(1, 1, 28, 28, requires_grad=True)
    x = image
    for name, layer in net.named_children():
        x = layer(x)
        if name == "conv3":
            break
    (gradient,) = torch.autograd.grad(x[0, :, 2, 2].sum(), image)
    seen = gradient[0, 0].any(dim=0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 15


ONE_PIXEL = [*("--model.channels", "[4,4,4,4,4]", "--model.strides", "2", "--model.padding", "1")]
ONE_PIXEL += ["--model.batch_norm", "true"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.variant", "model_6"], "model.variant: model_6 was given, expected 'baseline', 'model_1', 'model_2'"),
        (["--model.variant", "mlp", "--model.channels", "[4]"], "expected one of them"),
        (["--model.channels", "[4,0]"], "model.channels: [4, 0] was given"),
        (
            ["--model.channels", "[4]", "--model.kernels", "29"],
            "fit: model.kernels: conv1 gets 1×28×28: a kernel of 29 does not fit into 28 values, expected 28 at most\n",
        ),
        (["--model.kernels", "[3,3]"], "fit: model.kernels: 2 were given for 4 convolutions, expected one number, or"),
        (["--model.head", "[-1]"], "model.head"),
        (
            ["--model.variant", "mlp", "--model.dropout", "0.5"],
            "model.dropout: 0.5 was given, expected none, for there",
        ),
        (["--model.channels", "[]", "--model.batch_norm", "true"], "model.batch_norm: True was given, expected none"),
        (["--model.head", "[]", "--model.head_batch_norm", "true"], "model.head_batch_norm: True was given, expected"),
        (["--model.last_size", "3"], "model.last_size: 3 was given without last_pooling, expected both"),
        (["--model.variant", "model_5", "--model.last_size", "4"], "model.last_size: 4 was given for 2×2, expected 2"),
        (
            [*ONE_PIXEL, "--data.batch_size", "239"],
            "data.batch_size 239 leaves a last batch of one of 240 training examples, which batch norm cannot",
        ),
        (
            ["--model.variant", "mlp", "--model.head_batch_norm", "true", "--data.batch_size", "239"],
            "data.batch_size 239 leaves a last batch of one of 240 training examples, which batch norm cannot",
        ),
    ],
)
def test_wrong_layouts_leave_no_run(words, said, digits, command):
    command.refuses(*SHORT, "--data.directory", str(digits), *words, says=said)
