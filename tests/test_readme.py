"""What the README shows is what works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lit_anndl

PACKAGE = Path(lit_anndl.__path__[0])
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")


def test_the_example_of_an_exercise_runs_as_it_stands_there(tmp_path, digits, client):
    """In a copy of the package, with nothing else edited: it is listed, trained, tested and recorded."""
    shutil.copytree(PACKAGE, tmp_path / "lit_anndl", ignore=shutil.ignore_patterns("__pycache__"))
    examples = dict(re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))
    assert set(examples) == {"mnist_softmax.py", "mnist_softmax.yaml"}
    for name, content in examples.items():
        (tmp_path / "lit_anndl" / "exercises" / "supervised" / name).write_text(content, encoding="utf-8")
    fit, environment = [sys.executable, "-m", "lit_anndl.fit"], {**os.environ, "PYTHONPATH": str(tmp_path)}
    options = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    listed = subprocess.run([*fit, "--list"], **options).stdout
    assert re.search("mnist_softmax +Softmax regression: handwritten digits by one linear layer\n", listed)
    words = ["mnist_softmax", "--data.directory", str(digits), "--trainer.max_epochs", "2"]
    done = subprocess.run([*fit, *words], **options)
    run = client.get_run(re.search(r"run (\w+)", done.stdout)[1])
    assert {"train/loss", "val/accuracy", "test/accuracy"} <= run.data.metrics.keys()
    assert [item.path for item in client.list_artifacts(run.info.run_id, "figures")] == ["figures/loss.png"]
