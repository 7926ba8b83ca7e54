"""Files that are whole whatever happens while they are written."""

import os

import pytest

from lit_anndl.runtime.files import link_atomically, remove_unfinished, write_atomically


@pytest.fixture(params=["several names", "one name"])
def file_system(request, monkeypatch):
    """One whose files may have several names, and one whose files have but one."""
    if request.param == "one name":

        def refuse(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)


def test_a_second_name_stays_what_it_is_when_the_first_is_written_anew(file_system, tmp_path):
    best, last = tmp_path / "best", tmp_path / "last"
    write_atomically(best, b"first")
    write_atomically(last, b"before")
    link_atomically(best, last)
    link_atomically(best, last)  # again, where nothing has changed
    write_atomically(best, b"second")
    assert (best.read_bytes(), last.read_bytes()) == (b"second", b"first")
    assert {path.name for path in tmp_path.iterdir()} == {"best", "last"}


def test_what_a_killed_process_was_writing_goes(tmp_path):
    write_atomically(tmp_path / "whole", b"content")
    (tmp_path / ".half.1-2.new").write_bytes(b"con")
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
