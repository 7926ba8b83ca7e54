"""The arithmetic of convolutions, through the command."""

import pytest

from tests.support.recorded import artifacts, table


def test_as_the_course_has_it(command, tmp_path):
    run = command.run("convolution")
    assert run.data.metrics["test/difference"] == 0
    assert (run.data.metrics["output/height"], run.data.metrics["output/width"]) == (2, 2)
    lines = table(command.client, run, "sums", tmp_path)
    assert [line["value"] for line in lines] == [3, 4, 6, 11]
    assert lines[0] == {"output": "0, 0", "sum": "2·1 + 5·0 + 3·0 + 1·1", "value": 3}
    output = table(command.client, run, "output", tmp_path)
    assert output == [{"column 0": 3, "column 1": 4}, {"column 0": 6, "column 1": 11}]
    assert "figures/convolution.png" in artifacts(command.client, run.info.run_id, "figures")


def test_in_one_dimension_and_a_stack(command, tmp_path):
    words = ["--data.input", "[2,5,4,1,3,7]", "--data.kernel", "[1,0,1]", "--model.stride", "1"]
    run = command.run("convolution", *words, "--model.stack", "[[3,2,1],[2,1,0]]")
    assert [line["value"] for line in table(command.client, run, "sums", tmp_path)] == [6, 6, 7, 8]
    assert run.data.metrics["output/height"] == 1 and run.data.metrics["output/width"] == 4
    stack = table(command.client, run, "stack", tmp_path)
    assert [(line["output size"], line["receptive field"]) for line in stack] == [(3, 3), (2, 5)]
    assert run.data.metrics["stack/receptive_field"] == 5 and run.data.metrics["stack/output"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.kernel", "[[1,2,3,4,5]]"], "fit: data.kernel: a kernel of 5 does not fit into 4 values, expected 4"),
        (["--data.kernel", "[1,2]"], "data.input rows and data.kernel a list were given, expected both as lists or"),
        (["--data.input", "[[1,2],[3]]"], "data.input: [[1.0, 2.0], [3.0]] was given, expected numbers"),
        (["--data.input", "[]"], "data.input: [] was given, expected numbers"),
        (["--model.stride", "0"], "model.stride: 0 was given, expected a whole number > 0"),
        (["--model.padding", "-1"], "model.padding: -1 was given, expected a whole number ≥ 0"),
        (["--model.stack", "[[3,0,1]]"], "model.stack: [3, 0, 1] was given, expected [kernel, stride, padding]"),
        (["--model.stack", "[[9,1,1]]"], "fit: model.stack: a kernel of 9 does not fit into 4 values (6 with"),
        (
            ["--data.input", "[[1,2,3,4,5,6]]", "--data.kernel", "[[1]]", "--model.stack", "[[3,1,0]]"],
            "fit: model.stack: a kernel of 3 does not fit into 1 values",
        ),
    ],
)
def test_wrong_words(words, message, command):
    before = len(command.runs())
    command.refuses("convolution", *words, says=message)
    assert len(command.runs()) == before
