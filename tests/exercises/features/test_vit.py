"""Vision transformers, through the command."""

import pytest
import torch

from lit_anndl import load
from lit_anndl.callbacks.threads import SINGLE_THREAD_FLOPS
from lit_anndl.exercises.features.vit import DigitViT
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table

SMALL = ["--model.dim", "8", "--model.depth", "2", "--model.heads", "2", "--model.mlp_dim", "12"]
SHORT = ["--data.train_size", "300", "--data.test_size", "100", "--trainer.max_epochs", "2"]
FIGURES = ("loss", "accuracy", "confusion_matrix", "worst_mistakes", "attention_rollout", "positions")


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run("vit", *SMALL, *SHORT, "--data.directory", str(digits), *words)


@pytest.fixture
def module():
    torch.manual_seed(0)
    return DigitViT(torch.optim.Adam, dim=8, depth=2, heads=2, mlp_dim=12, patch_size=4).eval()


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        (["--model.patch_size", "7"], 50 * 8 + 18 * 8 + 2 * (256 + 192 + 12 + 40) + 9 * 12 + 130),
        (["--model.patch_size", "4", "--model.stem", "[6]", "--model.dropout", "0.1"], 66 + 200 + 51 * 8 + 1000 + 238),
    ],
)
def test_what_a_run_leaves(words, parameters, fit, client, tmp_path):
    run = fit(*words)
    assert run.data.metrics["parameters"] == parameters
    assert {f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("loss", "accuracy")} <= {
        *run.data.metrics
    }
    assert {f"figures/{name}.png" for name in FIGURES} == artifacts(client, run.info.run_id, "figures")
    assert table(client, run, "parameters", tmp_path)[-1]["parameters"] == parameters
    images = torch.rand(3, 1, 28, 28)
    again = DigitViT.load_from_checkpoint(checkpoint(run)).eval()
    assert torch.equal(load(run.info.run_id)(images), again(images))


def test_the_rate_falls_by_epochs(fit, client):
    run = fit("--model.lr_scheduler.gamma", "0.5")
    (state,) = torch.load(checkpoint(run), weights_only=True)["lr_schedulers"]
    assert state["_last_lr"] == [0.001 * 0.5**2]


def test_resumed_is_uninterrupted(fit, command):
    """The schedule and the averaged weights included."""
    words = ["--model.dropout", "0.1", "--weight_averaging.decay", "0.9"]
    reference = fit(*words, "--trainer.max_epochs", "3")
    short = fit(*words)
    grown = command.run("vit", "--resume", short.info.run_id, "--trainer.max_epochs", "3")
    ours, theirs = (torch.load(checkpoint(run), weights_only=True) for run in (grown, reference))
    for name in ("state_dict", "lr_schedulers"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=0)
    assert grown.data.metrics["test/loss"] == reference.data.metrics["test/loss"]


def test_shares_of_patches_are_those_of_the_last_class_token(module):
    shares = module.patch_shares(torch.rand(5, 1, 28, 28))
    assert shares.shape == (5, 7, 7)
    assert bool((shares > 0).all()) and bool((shares.sum(dim=(1, 2)) < 1).all())  # the rest is the token's own start


def test_operations_of_attention_are_counted(module):
    """Per block: four projections, Q Kᵀ and its product with the values, the perceptron; a product and its sum are two.

    Of an optimizer step three times those of the images' way forward.
    """
    tokens, dim, mlp_dim = 50, 8, 12
    block = 4 * tokens * dim**2 + 2 * tokens**2 * dim + 2 * tokens * dim * mlp_dim
    image = 49 * 16 * dim + 2 * block + dim * mlp_dim + mlp_dim * 10
    assert module.flops_per_step((torch.rand(5, 1, 28, 28),)) == 3 * 2 * 5 * image


def test_the_courses_smallest_is_worth_all_threads():
    net = DigitViT(torch.optim.Adam, dim=32, depth=4, heads=4, mlp_dim=64)
    assert net.flops_per_step((torch.rand(128, 1, 28, 28),)) > 5 * SINGLE_THREAD_FLOPS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--model.patch_size", "5"],
            "fit: model.patch_size 5 was given, expected one that fits the image's 28 pixels: [1, 2, 4, 7",
        ),
        (["--model.heads", "7"], "fit: model.dim 64 cannot be divided by 7 heads, expected one of [1, 2, 4"),
        (["--model.depth", "0"], "model.depth: 0 was given, expected a whole number > 0"),
        (["--model.dim", "-64"], "model.dim: -64 was given, expected a whole number > 0"),
        (["--model.mlp_dim", "1.5"], "model.mlp_dim: 1.5 was given, expected a whole number > 0"),
        (["--model.dropout", "2"], "model.dropout: 2 was given"),
        (["--model.stem", "[16,0]"], "model.stem"),
        (
            ["--model.stem", "[16]"],
            "patch_size 7 was given, expected one that fits the image's 28 pixels and a stem of 1: [2, 4, 14, 28]",
        ),
    ],
)
def test_wrong_sizes_leave_no_run(words, said, command, digits):
    before = len(command.runs())
    code, out, err = command("vit", *SHORT, "--data.directory", str(digits), *words)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert len(command.runs()) == before


def test_the_best_one_is_small(command, digits):
    run = command.run("vit_best", *SHORT, "--data.directory", str(digits))
    assert run.data.metrics["parameters"] < 250_000
