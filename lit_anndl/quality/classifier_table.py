"""Which digit classifier a run was judged by."""

from lit_anndl.nets.digit_classifier import WEIGHTS, digit_classifier
from lit_anndl.runtime.records import Table


def classifier_table() -> Table:
    """The file of its weights and their SHA-256, which distances between features depend on."""
    _, digest = digit_classifier()
    return {"file": [WEIGHTS.name], "SHA-256": [digest]}
