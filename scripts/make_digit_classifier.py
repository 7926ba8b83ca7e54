"""Trains the classifier whose features measure sample quality, and writes its weights into the package.

    python scripts/make_digit_classifier.py [--key value …]

Options are those of `python -m lit_anndl.fit digit_classifier`. Distances between features mean something on one scale
alone: new weights make all earlier measurements of sample quality incomparable, so this is run once.
"""

import hashlib
import io
import sys

import torch

from lit_anndl import load
from lit_anndl.config.configuration import parse
from lit_anndl.nets.digit_classifier import WEIGHTS
from lit_anndl.runs.run import run
from lit_anndl.runtime.files import write_atomically


def main() -> None:
    """Trains, tests once, writes."""
    result = run(parse("digit_classifier", sys.argv[1:]))
    assert result.run_id is not None, "the run is recorded, for its weights come from there"
    content = io.BytesIO()
    weights = {name: tensor.contiguous().clone() for name, tensor in load(result.run_id).net.state_dict().items()}
    torch.save(weights, content)
    write_atomically(WEIGHTS, content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    print(f"{WEIGHTS}: {len(content.getvalue())} bytes, SHA-256 {digest}")
    print(f"test accuracy {result.metrics['test/accuracy']:.4f}, run {result.run_id}")


if __name__ == "__main__":
    main()
