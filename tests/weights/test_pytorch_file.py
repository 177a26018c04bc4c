"""Files of `torch.save` give what `torch.load` gives, and bytes of any kind give that or one line."""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile_checkpoints import checkpoint_seeds
from hypothesis import given, settings, strategies as st

from ttsr.errors import WeightsError
from ttsr.weights.assembly import assemble
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.pytorch_file import read_pytorch_file


def contents() -> dict[str, Any]:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    adam = torch.optim.Adam([torch.nn.Parameter(base.clone())])
    adam.param_groups[0]["params"][0].grad = base
    adam.step()
    scaled = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    turned = {"whole": base, "turned": base.T, "part": base[1:3, ::2]}
    kinds = (torch.float16, torch.bfloat16, torch.int8, torch.bool)
    return {
        "types": {str(kind): torch.arange(6).to(kind) for kind in kinds},
        "untyped": {str(kind): torch.ones(3).to(kind) for kind in (torch.float8_e4m3fn, torch.uint16)},
        "views": turned | {"one": base[2, 3], "spread": base[:1].expand(3, 6)},
        "empty": {"none": torch.zeros(0, 3), "scalar": torch.tensor(2.5)},
        "parameters": {"a": torch.nn.Parameter(base)},
        "modules": scaled.state_dict(),
        "ordered": OrderedDict(a=base, b=OrderedDict()),
        "optimizer": adam.state_dict(),
        "plain": {
            "texts": ["a", "ü", ""],
            "numbers": [0, -1, 2**40, -(2**70), 1.5, None, True],
            "tuples": ((1,), (1, 2), (1, 2, 3, 4)),
        },
    }


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(other, torch.Tensor):
        assert one.dtype == other.dtype and one.shape == other.shape and one.stride() == other.stride()
        assert torch.equal(one.float(), other.detach().float())
    elif isinstance(other, dict):
        assert list(one) == list(other)
        for key in other:
            assert_equal(one[key], other[key])
    elif isinstance(other, list | tuple):
        assert type(one) is type(other) and len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_equal(left, right)
    else:
        assert one == other and type(one) is type(other)


# The old form of types without a storage of their own is what PyTorch itself cannot read.
@pytest.mark.parametrize(
    ("kind", "new"), [(kind, new) for kind in contents() for new in (True, False) if new or kind != "untyped"]
)
def test_it_gives_what_torch_gives(kind: str, new: bool, tmp_path: Path) -> None:
    torch.save(contents()[kind], tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    assert_equal(read_pytorch_file(tmp_path / "a.pt"), torch.load(tmp_path / "a.pt", weights_only=True))


def test_views_share_memory(tmp_path: Path) -> None:
    torch.save(contents()["views"], tmp_path / "a.pt")
    read = read_pytorch_file(tmp_path / "a.pt")
    read["whole"].zero_()
    assert not read["part"].any()


with warnings.catch_warnings(action="ignore"):  # ZIPs with two members of one name
    SEEDS = [seed for seed in checkpoint_seeds(Path("never")) if len(seed) < 4096]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A checkpoint, changed in some places; or any bytes."""
    file = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(file) - 1)))
        length = draw(st.integers(0, 8))
        file[place : place + length] = draw(st.binary(max_size=8))
    return bytes(file)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "damaged.pt"


@given(content=damaged_files() | st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_network_or_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        assemble(read_checkpoint(file), str(file))
    except WeightsError as error:
        line = str(error)
        assert line.isprintable() and line.startswith(str(file)) and len(line) < 1000
