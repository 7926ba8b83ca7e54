"""Runs that learn together, apart from what they learn."""

import torch

from lit_anndl.runs.crew import run_together


def test_each_begins_with_the_threads_and_the_type_of_the_process() -> None:
    found = []

    def task(_: object) -> None:
        found.append((torch.get_num_threads(), torch.get_default_dtype()))
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float64)

    before = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(2)
    try:
        run_together([task, task, task])
        assert found == [(2, torch.float32)] * 3
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (2, torch.float32)
    finally:
        torch.set_num_threads(before[0])
