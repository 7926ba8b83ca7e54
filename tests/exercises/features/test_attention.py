"""Self-attention in NumPy and in PyTorch, through the command."""

import pytest

from tests.support.recorded import artifacts, table

QUICK = ["attention", "--model.lengths", "[4, 8]"]


@pytest.mark.parametrize("words", [[], ["--model.heads", "1"], ["--model.causal", "true", "--model.heads", "8"]])
def test_three_ways_agree_to_rounding(words, command):
    metrics = command.run(*QUICK, *words).data.metrics
    assert metrics["test/difference"] < 1e-14
    assert metrics["test/sdpa_difference"] < 1e-14
    assert metrics["test/swapped_spread"] == 0 < metrics["test/spread"]


def test_shapes_and_costs(command, tmp_path):
    run = command.run(*QUICK, "--data.sequences", "2", "--data.tokens", "5", "--data.dim", "12")
    shapes = {line["of"]: line["here"] for line in table(command.client, run, "shapes", tmp_path)}
    assert shapes["Q"] == "(2, 4, 5, 3)" and shapes["scores, weights"] == "(2, 4, 5, 5)"
    assert shapes["X"] == shapes["output"] == "(2, 5, 12)"
    costs = table(command.client, run, "cost", tmp_path)
    assert [line["tokens"] for line in costs] == [4, 8]
    tokens, scores = 8 * 12 * 8, 4 * 8 * 8 * 8  # bytes: eight tokens of 12 numbers; the scores of four heads
    written_out = 6 * tokens + 3 * scores  # Q, K, V, the heads' means and a copy, output; scores, scaled, softmax
    assert costs[1]["written out, bytes"] == written_out > costs[1]["torch's kernel, bytes"]
    figures = {"figures/weights.png", "figures/cost.png"}
    assert artifacts(command.client, run.info.run_id, "figures") == figures


def test_causal_attention_costs_what_its_mask_does_too(command, tmp_path):
    def costs(*words):
        return table(command.client, command.run(*QUICK, *words), "cost", tmp_path)

    plain, causal = costs(), costs("--model.causal", "true")
    for one, other in zip(plain, causal, strict=True):
        assert one["written out, bytes"] < other["written out, bytes"]
        assert one["torch's kernel, bytes"] <= other["torch's kernel, bytes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.heads", "3"], "data.dim and model.heads: dim 32 cannot be divided by 3 heads"),
        (["--model.heads", "0"], "model.heads: 0 was given, expected a whole number > 0"),
        (["--trainer.accelerator", "cpu", "--trainer.devices", "2"], "2 processes have no gradients to share here"),
        (["--trainer.precision", "bf16-true"], "trainer.precision bf16-true was given, expected 32-true, 64-true or a"),
        (["--data.tokens", "0"], "data.tokens: 0 was given, expected a whole number > 0"),
    ],
)
def test_wrong_words(words, message, command):
    command.refuses("attention", *words, says=message)
