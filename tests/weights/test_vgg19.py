"""VGG19 from a file laid out as torchvision's, with values of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ttsr.errors import RecipeError, WeightsError
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.weights import vgg19
from ttsr.weights.cache import cache_path
from ttsr.weights.vgg19 import load_vgg19, start_extractor

# Index in `features` and channels of each convolution of torchvision's vgg19, as its printed form lists them.
PUBLISHED = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512),
}  # fmt: skip
NAMES = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]

State = dict[str, Tensor]


@pytest.fixture(scope="session")
def published() -> State:
    """Each weight filled with its own index, and a few parameters after relu5_1."""
    state = {}
    for index, (before, after) in PUBLISHED.items():
        state[f"features.{index}.weight"] = torch.full((after, before, 3, 3), (index + 0.25) / 2**12)
        state[f"features.{index}.bias"] = torch.full((after,), (index + 0.75) / 2**12)
    return state | {"features.30.weight": torch.ones(2, 2, 3, 3), "classifier.0.weight": torch.ones(2, 2)}


@pytest.fixture(scope="session")
def file(published: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In PyTorch's older format, as torchvision's file is."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(published, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def saved(published: State, tmp_path: Path) -> Callable[[State], Path]:
    def save(changes: State) -> Path:
        path = tmp_path / "changed.safetensors"
        state = published | changes
        save_file({key: value for key, value in state.items() if value.numel()}, path)
        return path

    return save


def test_every_convolution_is_read_from_its_place(file: Path) -> None:
    before = torch.get_rng_state()
    vgg = load_vgg19(file)
    assert torch.equal(torch.get_rng_state(), before)
    state = vgg.state_dict()
    assert len(state) == 26
    for index, name in zip(PUBLISHED, NAMES, strict=True):
        weight, bias = state[f"conv{name}.weight"], state[f"conv{name}.bias"]
        assert tuple(weight.shape) == (*reversed(PUBLISHED[index]), 3, 3)
        assert (weight == (index + 0.25) / 2**12).all() and (bias == (index + 0.75) / 2**12).all()
    assert not any(p.requires_grad for p in vgg.parameters())
    out = vgg(torch.full((1, 3, 16, 16), 0.5))
    assert out.isfinite().all() and out.min() > 0


def test_deeper_and_shallower_layers_are_read_on_demand(file: Path, saved: Callable[[State], Path]) -> None:
    deeper = {f"features.{index}.weight": torch.full((512, 512, 3, 3), index / 2**12) for index in (30, 32, 34)}
    biases = {key.replace("weight", "bias"): value[:, 0, 0, 0].clone() for key, value in deeper.items()}
    state = load_vgg19(saved(deeper | biases), last="conv5_4").state_dict()
    assert [state[f"conv5_{number}.bias"][0].item() * 2**12 for number in (2, 3, 4)] == [30, 32, 34]
    assert list(load_vgg19(file, last="relu1_2").state_dict())[-1] == "conv1_2.bias"
    with pytest.raises(WeightsError, match=r"features\.30\.bias is missing\)"):
        load_vgg19(file, last="conv5_2")


def test_the_extractor_starts_from_its_first_five(file: Path) -> None:
    extractor = LearnableTextureExtractor()
    vgg = load_vgg19(file)
    start_extractor(extractor, vgg)
    for name, parameter in extractor.named_parameters():
        assert torch.equal(parameter, vgg.get_parameter(name)), name
        assert parameter.requires_grad
    with torch.no_grad():
        extractor.conv1_1.weight.zero_()
    assert vgg.get_parameter("conv1_1.weight").min() == 0.25 / 2**12, "the copy is a copy"


def test_other_widths_cannot_start_from_it(file: Path) -> None:
    extractor = LearnableTextureExtractor((64, 128, 32))
    before = {name: parameter.clone() for name, parameter in extractor.named_parameters()}
    with pytest.raises(RecipeError, match=r"\(64, 128, 32\) .* \(64, 128, 256\), or set extractor\.start to random"):
        start_extractor(extractor, load_vgg19(file))
    assert all(torch.equal(parameter, before[name]) for name, parameter in extractor.named_parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features.12.bias": torch.empty(0)}, r"features\.12\.bias is missing\)"),
        ({f"features.{i}.weight": torch.empty(0) for i in (5, 7)}, r"features\.5\.weight is missing and 1 more"),
        ({"features.2.weight": torch.ones(64, 64, 1, 1)}, r"features\.2\.weight is \(64, 64, 1, 1\) instead of "),
        ({"features.0.bias": torch.full((64,), torch.nan)}, r"not finite numbers in features\.0\.bias"),
        ({"features.0.bias": torch.ones(64, dtype=torch.int64)}, r"not finite numbers in features\.0\.bias"),
    ],
)
def test_wrong_parameter_is_named(changes: State, message: str, saved: Callable[[State], Path]) -> None:
    path = saved(changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load_vgg19(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no such file"):
        load_vgg19(tmp_path / "none.pth")


def test_offline_names_three_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vgg19, "URL", "http://127.0.0.1:1/vgg19-dcbb9e9d.pth")
    with pytest.raises(WeightsError) as caught:
        load_vgg19()
    message = str(caught.value)
    assert "\n" not in message
    assert "connect once" in message
    assert f"download {vgg19.URL} elsewhere and name the file" in message
    assert "set extractor.start to random or contrastive" in message
    assert list(tmp_path.iterdir()) == []


def test_damaged_file_in_the_cache_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    (tmp_path / "vgg19-dcbb9e9d.pth").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"not dcbb9e9d: remove the file and download it again$"):
        load_vgg19()
    assert vgg19.URL == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def test_cached_file_is_used(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of an address whose name holds no digits, so that our own file passes."""
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    monkeypatch.setattr(vgg19, "URL", "http://127.0.0.1:1/vgg19.pth")
    place = cache_path(vgg19.URL)
    place.parent.mkdir(parents=True)
    place.symlink_to(file)
    assert load_vgg19().get_parameter("conv5_1.bias")[0] == 28.75 / 2**12
