"""Which pairs each process takes at each step."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ttsr.training import dataloader
from ttsr.training.dataloader import load_batches


@pytest.fixture
def numbers(monkeypatch):
    """The numbers of the pairs that each step takes on a process of a world."""
    monkeypatch.setattr(dataloader, "collate", list)
    any_number: Any = type("Numbers", (), {"__getitem__": lambda self, number: number})()

    def taken(recipe, rank: int, count: int, step: int, first_pair: int) -> list[Any]:
        runtime: Any = SimpleNamespace(rank=rank, count=count, device=torch.device("cpu"))
        return list(load_batches(recipe, any_number, runtime, step, 0, first_pair))

    return taken


def test_a_batch_of_the_run_is_split_over_its_processes(debug, numbers):
    recipe = debug("rec", "--batch_size=4", "--schedule.steps=3")
    assert numbers(recipe, 0, 1, 1, 4) == [[4, 5, 6, 7], [8, 9, 10, 11]]
    assert numbers(recipe, 0, 2, 1, 4) == [[4, 5], [8, 9]]
    assert numbers(recipe, 1, 2, 1, 4) == [[6, 7], [10, 11]]


def test_a_batch_of_each_process_takes_the_next_pairs_of_all(debug, numbers):
    recipe = debug("rec", "--batch_size=9", "--batch_per=process", "--schedule.steps=2")
    steps = [numbers(recipe, rank, 8, 0, 0) for rank in range(8)]
    assert [len(batch) for batch in steps[7]] == [9, 9]
    assert [pair for step in range(2) for batches in steps for pair in batches[step]] == list(range(2 * 8 * 9))


def test_a_run_that_goes_on_with_other_processes_leaves_out_no_pair(debug, numbers):
    """One step of eight processes, then one of two."""
    recipe = debug("rec", "--batch_size=9", "--batch_per=process", "--schedule.steps=2")
    assert numbers(recipe, 0, 2, 1, 72) == [list(range(72, 81))]
    assert numbers(recipe, 1, 2, 1, 72) == [list(range(81, 90))]
