"""The study files that come with the project are studies that can be carried out."""

from pathlib import Path

import pytest

from lit_anndl.studies.study_file import read_definition
from lit_anndl.studies.validation import check_settings

FILES = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_study_files(file):
    definition = read_definition(file)
    assert definition.name == file.stem
    assert check_settings(definition).exercise == definition.exercise


def test_there_are_some():
    assert FILES
