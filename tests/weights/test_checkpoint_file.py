"""Files of checkpoints: what they may declare, and files that cannot be read."""

from pathlib import Path

import pytest
import torch

from ttsr.errors import WeightsError
from ttsr.weights.checkpoint_file import read_checkpoint, read_strings


def test_repeated_values_count_as_often_as_they_are_declared(tmp_path: Path) -> None:
    path = tmp_path / "repeated.pt"
    torch.save({"a": torch.zeros(1).expand(3000)}, path)
    # Far more than four times the file, though not by the number of values alone.
    assert 3000 < 4 * path.stat().st_size < 4 * 3000
    with pytest.raises(WeightsError, match=r"repeated\.pt: its tensors declare far more values than the file contains"):
        read_checkpoint(path)


def test_tensors_may_share_their_values(tmp_path: Path) -> None:
    weight = torch.rand(3000)
    torch.save({"a": weight, "b": weight, "c": weight.view(30, 100).t()}, tmp_path / "shared.pt")
    read = read_checkpoint(tmp_path / "shared.pt").tensors
    assert torch.equal(read["a"], weight) and torch.equal(read["b"], weight)
    assert torch.equal(read["c"], weight.view(30, 100).t())


@pytest.mark.parametrize("read", [read_checkpoint, read_strings])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(read) -> None:
    """This one opens, but its first bytes belong to no memory."""
    with pytest.raises(WeightsError, match=r"/proc/self/mem: cannot be read \(Input/output error\)"):
        read(Path("/proc/self/mem"))


def test_long_names_beside_the_weights_are_cut(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}, "n" * 61: 1, "m" * 60: 2}, tmp_path / "long.pth")
    assert read_checkpoint(tmp_path / "long.pth").left_out == ("n" * 60, "m" * 60)
