"""What `load` accepts, and what it refuses."""

import io
import re
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import ttsr
from ttsr.errors import UserError, WeightsError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import AUTHORS, MMAGIC
from ttsr.weights.loading import load
from ttsr.weights.provenance import Metadata
from ttsr.weights.saving import save


def test_every_layout_gives_the_same_network(
    assert_same_weights: Callable[..., None], checkpoint: Path, small: TTSR
) -> None:
    for name in (checkpoint, str(checkpoint)):
        model = load(name)
        assert_same_weights(model, small)
        assert not model.training


def test_is_public(checkpoint: Path) -> None:
    assert ttsr.load is load


def test_loading_draws_no_random_numbers(checkpoint: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load(checkpoint)
    assert torch.rand(1) == expected


def authors_state(model: TTSR) -> dict[str, Tensor]:
    state = {AUTHORS.to_theirs(key): value for key, value in model.state_dict().items()}
    return state | AUTHORS.normalisation_state()


def mmagic_state(model: TTSR) -> dict[str, Tensor]:
    state = {MMAGIC.to_theirs(key): value for key, value in model.state_dict().items()}
    return state | MMAGIC.normalisation_state()


def test_what_is_beside_the_generator_is_ignored(
    assert_same_weights: Callable[..., None], small: TTSR, tmp_path: Path
) -> None:
    """MMEditing 0.x adds a counter and VGG19, MMagic 1.x a copy of the extractor, the GAN a discriminator."""
    extra = {
        "step_counter": torch.tensor(7),
        "perceptual_loss.vgg.vgg_layers.0.weight": torch.zeros(4, 3, 3, 3),
        "extractor_copy.slice1.0.weight": torch.zeros(3, 3, 3, 3),
        "discriminator.body.0.weight": torch.zeros(2, 3, 3, 3),
    }
    path = tmp_path / "gan.pth"
    torch.save({"meta": {"epoch": 3}, "state_dict": mmagic_state(small) | extra, "optimizer": {}}, path)
    assert_same_weights(load(path), small)


def test_old_file_format_of_torch(assert_same_weights: Callable[..., None], small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "TTSR.pt"
    torch.save(authors_state(small), path, _use_new_zipfile_serialization=False)
    assert_same_weights(load(path), small)


class HistoryBuffer:
    """As MMEngine's: NumPy arrays and a bound function in the pickle."""

    def __init__(self) -> None:
        self._log_history = np.arange(3.0)
        self._count_history = np.arange(3)
        self._last = np.float64(2)
        self._statistics_methods = {"mean": self.mean}

    def mean(self) -> float:
        return 0.0


def test_mmengine_log_is_ignored(
    assert_same_weights: Callable[..., None], small: TTSR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole training checkpoint of MMagic 1.x holds objects of packages that are not here."""
    name = "mmengine.logging.history_buffer"
    for module in ("mmengine", "mmengine.logging", name):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setattr(HistoryBuffer, "__module__", name)
    monkeypatch.setattr(sys.modules[name], "HistoryBuffer", HistoryBuffer, raising=False)
    path = tmp_path / "iter_10.pth"
    log = {"log_scalars": {"train/loss": HistoryBuffer()}}
    torch.save({"meta": {}, "state_dict": mmagic_state(small), "message_hub": log}, path)
    for module in ("mmengine", "mmengine.logging", name):
        monkeypatch.delitem(sys.modules, module)
    assert_same_weights(load(path), small)


def test_code_in_a_checkpoint_is_not_run(small: TTSR, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"open({str(tmp_path / 'went off')!r}, 'w')",)

    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": mmagic_state(small), "more": Bomb()}, path)
    with pytest.raises(WeightsError, match="more than weights"):
        load(path)
    assert not (tmp_path / "went off").exists()


@pytest.mark.parametrize("key", ["MainNet.SFE.conv_head.weight", "MainNet.RB21.1.conv2.bias", "LTE.sub_mean.bias"])
def test_missing_parameter(key: str, small: TTSR, tmp_path: Path) -> None:
    state = authors_state(small)
    del state[key]
    torch.save(state, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError, match=rf"missing {re.escape(key)}|{re.escape(key)} is missing"):
        load(tmp_path / "TTSR.pt")


def test_long_lists_are_cut(small: TTSR, tmp_path: Path) -> None:
    state = {key: value for key, value in authors_state(small).items() if ".merge_tail." not in key}
    torch.save(state | {"MainNet.RB99.0.conv1.weight": torch.zeros(1)}, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError) as caught:
        load(tmp_path / "TTSR.pt")
    message = str(caught.value)
    assert re.search(r"missing MainNet.merge_tail\.\S+, .* and 6 more; unknown MainNet\.RB99\.", message)
    assert "\n" not in message and len(message) < 600


def test_misshapen(small: TTSR, tmp_path: Path) -> None:
    state = authors_state(small)
    state["MainNet.conv12.weight"] = torch.zeros(24, 6, 1, 1)
    torch.save(state, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError, match=r"MainNet\.conv12\.weight 24x6x1x1 instead of 24x6x3x3"):
        load(tmp_path / "TTSR.pt")


@pytest.mark.parametrize("value", [torch.full((6,), torch.nan), torch.zeros(6, dtype=torch.int64)])
def test_values_that_are_no_weights(value: Tensor, small: TTSR, tmp_path: Path) -> None:
    torch.save(authors_state(small) | {"MainNet.conv11_tail.bias": value}, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError, match=r"not finite floats .* in MainNet\.conv11_tail\.bias"):
        load(tmp_path / "TTSR.pt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(6).to_sparse(), "is not a plain tensor"),
        (torch.empty(6, device="meta"), "is not a plain tensor"),
        (torch.zeros(6, dtype=torch.float8_e4m3fn), r"of 16, 32 or 64 bits in MainNet\.conv11_tail\.bias"),
        (torch.full((6,), 1e300, dtype=torch.float64), r"not finite floats .* in MainNet\.conv11_tail\.bias"),
        (torch.zeros(6, dtype=torch.complex64), r"of 16, 32 or 64 bits in MainNet\.conv11_tail\.bias"),
    ],
    ids=["sparse", "meta", "fp8", "too large", "complex"],
)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_odd_tensors(value: Tensor, message: str, small: TTSR, tmp_path: Path) -> None:
    torch.save(authors_state(small) | {"MainNet.conv11_tail.bias": value}, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError, match=message):
        load(tmp_path / "TTSR.pt")


def test_odd_type_in_safetensors(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    state = small.state_dict() | {"synthesis.chain1.tail.bias": torch.zeros(6, dtype=torch.float8_e4m3fn)}
    save_file(state, path, Metadata(small.config).to_strings())
    with pytest.raises(WeightsError, match=r"of 16, 32 or 64 bits in synthesis\.chain1\.tail\.bias"):
        load(path)


def test_a_number_declared_as_billions(small: TTSR, tmp_path: Path) -> None:
    huge = torch.zeros(1).expand(100_000, 100_000, 3, 3)
    torch.save(authors_state(small) | {"MainNet.conv11_tail.weight": huge}, tmp_path / "TTSR.pt")
    with pytest.raises(WeightsError, match="far more values than the file contains"):
        load(tmp_path / "TTSR.pt")


def test_file_that_unpacks_to_far_more_than_its_size(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "TTSR.pt"
    plain = io.BytesIO(pickled(authors_state(small) | {"more": torch.zeros(1_000_000)}))
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(WeightsError, match="unpacks to far more than its size"):
        load(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single(
    dtype: torch.dtype, assert_same_weights: Callable[..., None], small: TTSR, tmp_path: Path
) -> None:
    state = {key: value.to(dtype) for key, value in authors_state(small).items()}
    if dtype == torch.bfloat16:  # whose eight bits are too few for the normalisation
        state |= AUTHORS.normalisation_state()
    torch.save(state, tmp_path / "TTSR.pt")
    model = load(tmp_path / "TTSR.pt")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert_same_weights(model, small, tolerance=4e-3)


def test_loaded_network_computes_and_trains(small: TTSR, checkpoint: Path) -> None:
    model = load(checkpoint)
    lr, ref = torch.rand(1, 3, 6, 5), torch.rand(1, 3, 8, 12)
    output = model(lr, ref)
    torch.testing.assert_close(output.sr, small(lr, ref).sr)
    output.sr.mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_network_does_not_change_with_its_file(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save(small, path)
    model = load(path)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_suffix_does_not_matter(assert_same_weights: Callable[..., None], checkpoint: Path, small: TTSR) -> None:
    for name in ("a.safetensors", "a.pth", "a.bin"):
        checkpoint = checkpoint.rename(checkpoint.with_name(name))
        assert_same_weights(load(checkpoint), small)


def test_another_normalisation(small: TTSR, tmp_path: Path) -> None:
    state = mmagic_state(small)
    state["extractor.img_normalize.bias"] = torch.zeros(3)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"extractor\.img_normalize\.bias is not ImageNet's"):
        load(tmp_path / "a.pth")


def pickled(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"not a checkpoint at all", "not a checkpoint, or damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a checkpoint, or damaged"),
        (b"\x10\0\0\0\0\0\0\0{ this is no JSON", "damaged or truncated"),
        (pickled([1, 2]), "no state dict"),
        (pickled({}), "no state dict"),
        (pickled({"epoch": 3}), "'epoch' is not a tensor"),
        (pickled({"conv1.weight": torch.zeros(2)}), r"not a TTSR checkpoint \(it contains conv1\.weight\)"),
        (pickled({"synthesis.x.weight": torch.zeros(2)}), "is missing"),
    ],
)
def test_foreign_file(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated(checkpoint: Path, kept: float) -> None:
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WeightsError, match="damaged or"):
        load(checkpoint)


def test_metadata_and_shapes_must_agree(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save(small, path)
    save_file(load_file(path), path, Metadata(TTSRConfig(64, small.config.num_blocks, (3, 5, 7))).to_strings())
    with pytest.raises(WeightsError, match="its metadata states"):
        load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not in the format of this version of ttsr"),
        ({"config": "{"}, "metadata is damaged"),
        ({"config": "[]"}, "metadata is damaged"),
        ({"config": '{"channels": 6}'}, "metadata is damaged"),
        ({"scores": "3"}, "metadata is damaged"),
    ],
)
def test_damaged_metadata(change: dict[str, str], message: str, small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save(small, path)
    save_file(load_file(path), path, Metadata(small.config).to_strings() | change)
    with pytest.raises(WeightsError, match=message):
        load(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        load(str(tmp_path / "nowhere.pth"))
    with pytest.raises(WeightsError, match="is not a file"):
        load(tmp_path)


def test_name_that_no_file_system_takes() -> None:
    with pytest.raises(WeightsError, match="no weights are named xxx"):
        load(300 * "x")
    with pytest.raises(WeightsError, match="there is no such file"):
        load(300 * "x" + ".pth")


def test_malformed_url() -> None:
    with pytest.raises(WeightsError, match="is not a valid URL"):
        load("http://[bad/x.pth")


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(WeightsError, match=r"mmagic/ttsr-rec, mmagic/ttsr-gan"):
        load("ttsr-huge")


def test_unknown_device(checkpoint: Path) -> None:
    with pytest.raises(UserError, match="device"):
        load(checkpoint, device="abacus")
