"""Odd arrays, tensors and options handed to the Python API: the right result or one error of ours."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ttsr
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
CPU: dict[str, Any] = {"device": "cpu", "precision": "fp32"}


class Subclass(np.ndarray):
    pass


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


# Arrays that show the pixels of PIXELS, whatever they look like in memory.
THE_SAME = {
    "negative strides": PIXELS[::-1, ::-1].copy()[::-1, ::-1],
    "every second": np.repeat(np.repeat(PIXELS, 2, 0), 2, 1)[::2, ::2],
    "read-only": read_only(PIXELS),
    "Fortran order": np.asfortranarray(PIXELS),
    "planes": np.ascontiguousarray(PIXELS.transpose(2, 0, 1)).transpose(1, 2, 0),
    "subclass": PIXELS.copy().view(Subclass),
    "opaque": np.dstack([PIXELS, np.full((8, 12), 255, np.uint8)]),
    "Pillow": Image.fromarray(PIXELS),
    "Picture": Picture(PIXELS),
    "Picture of a view": Picture(PIXELS[::-1].copy()[::-1]),
}

# Values that are no picture.
NONE: dict[str, Any] = {
    **{
        f"dtype {name}": PIXELS.astype(name)
        for name in ("bool", "i1", "i8", "f2", "f4", "c8", "object", ">u2", "u4", "S3")
    },
    "structured": np.zeros((8, 12), [("r", "u1"), ("g", "u1")]),
    "NaN": np.full((8, 12, 3), np.nan, np.float32),
    "infinite": np.full((8, 12, 3), np.inf),
    "dates": np.zeros((8, 12, 3), "M8[s]"),
    "no pixels": PIXELS[:0],
    "no columns": PIXELS[:, :0],
    "no channels": PIXELS[..., :0],
    "five channels": np.dstack([PIXELS, PIXELS[..., :2]]),
    "a number": np.uint8(3),
    "0-d": np.array(3, np.uint8),
    "1-d": PIXELS[0, :, 0],
    "4-d": PIXELS[None],
    "5-d": PIXELS[None, None],
    "masked": np.ma.masked_array(PIXELS, PIXELS > 200),
    "list": PIXELS.tolist(),
    "tensor": torch.from_numpy(PIXELS),
    "bytes": PIXELS.tobytes(),
    "None": None,
    "dict": {"rgb": PIXELS},
}

# Pictures that tempt to divide by zero, or are as small or as odd as they get.
EXTREME = {
    "black": np.zeros((9, 11, 3), np.uint8),
    "white": np.full((9, 11, 3), 255, np.uint8),
    "white of 16 bits": np.full((9, 11, 3), 65535, np.uint16),
    "gray": np.full((9, 11), 77, np.uint8),
    "one pixel": np.pad(np.array([[[9, 200, 77]]], np.uint8), ((4, 4), (5, 5), (0, 0))),
    "checkerboard": np.repeat(255 * (np.indices((9, 11)).sum(0) % 2)[..., None], 3, 2).astype(np.uint8),
    "1x1": PIXELS[:1, :1],
    "1xN": PIXELS[:1],
    "Nx1": PIXELS[:, :1],
    "transparent": np.dstack([PIXELS, np.zeros((8, 12), np.uint8)]),
    "half": np.dstack([PIXELS, PIXELS[..., 0]]),
}
REFERENCES = {
    "the same": None,
    "smallest": PIXELS[:4, :4],
    "black": np.zeros((8, 8, 3), np.uint8),
    "white": np.full((16, 8, 3), 255, np.uint8),
    "16 bits": np.arange(8 * 8 * 3, dtype=np.uint16).reshape(8, 8, 3) * 300,
}


@pytest.fixture(scope="module")
def upscaler(tiny_model: TTSR) -> Upscaler:
    return Upscaler(tiny_model, **CPU)


@pytest.fixture(scope="module")
def lite() -> Upscaler:
    return Upscaler("ttsr-lite", **CPU)


@pytest.mark.parametrize("name", THE_SAME)
def test_pictures_however_they_lie_in_memory(upscaler: Upscaler, name: str) -> None:
    picture = THE_SAME[name]
    wanted = upscaler.upscale(PIXELS, upscaler.encode_references(PIXELS))
    before = np.array(picture.rgb if isinstance(picture, Picture) else picture)
    result = upscaler.upscale(picture, upscaler.encode_references([picture]))
    assert np.array_equal(result.picture.rgb, wanted.picture.rgb) and np.array_equal(result.index, wanted.index)
    assert np.array_equal(before, picture.rgb if isinstance(picture, Picture) else picture)


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_picture_is_refused(upscaler: Upscaler, name: str) -> None:
    value, references = NONE[name], upscaler.encode_references(PIXELS)
    calls: list[Callable[[], object]] = [
        lambda: ttsr.read_picture(value),
        lambda: upscaler.upscale(value, references),
        lambda: ttsr.upscale_to(upscaler, value, (20, 20), references),
        lambda: upscaler.encode_references(value),
        lambda: upscaler.encode_references([PIXELS, value]),
        lambda: upscaler.set_references(value),
        lambda: Picture(value),
    ]
    if value is not None:  # which stands for none
        calls.append(lambda: upscaler.upscale(PIXELS, references, base=value))
        calls.append(lambda: Picture(PIXELS, value))
    for call in calls:
        with pytest.raises(UserError) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", EXTREME)
def test_extreme_pictures_give_finite_results(lite: Upscaler, upscaler: Upscaler, name: str, reference: str) -> None:
    picture = EXTREME[name]
    ref = REFERENCES[reference]
    if ref is None:
        ref = np.ascontiguousarray(np.resize(picture, (max(4, picture.shape[0]), max(4, picture.shape[1]), 3)))
    before = picture.copy()
    for using in (lite, upscaler):
        result = using.upscale(picture, using.encode_references([ref]))
        assert result.picture.rgb.shape == (4 * picture.shape[0], 4 * picture.shape[1], 3)
        assert np.isfinite(result.relevance).all() and np.isfinite(result.confidence).all()
        assert np.abs(result.relevance).max() <= 1 + 1e-5
        if name in ("black", "gray", "white") and using is lite:  # nothing is added to what has no detail
            assert np.abs(result.picture.rgb.astype(int) - int(picture.flat[0])).max() <= 6
    assert np.array_equal(before, picture)


OPTIONS: dict[str, dict[str, Any]] = {
    **{f"precision {value!r}": {"precision": value} for value in ("fp8", "", None, 16, "FP32", "tf32")},
    **{f"search {value!r}": {"search": value} for value in ("fast", "", None, 3, True)},
    **{f"pose {value!r}": {"pose": value} for value in ("yes", "", None, True)},
    **{f"match_colour {value!r}": {"match_colour": value} for value in ("yes", "", None, False)},
    **{f"device {value!r}": {"device": value} for value in ("gpu", "", "cpu:x", torch.device("meta"), 3)},
    **{f"max_memory {value!r}": {"max_memory": value} for value in (0, -1, float("nan"), "much", "", True, "-3GB", [])},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_unknown_options_are_refused(tiny_model: TTSR, name: str) -> None:
    with pytest.raises(UserError):
        Upscaler(tiny_model, **{**CPU, **OPTIONS[name]})


@pytest.mark.parametrize(
    "size", [(0, 5), (-1, 5), (5,), (5, 5, 5), "5x5", 5, None, (5.5, 5), (float("nan"), 5), (10**9, 5)]
)
def test_impossible_sizes_are_refused(upscaler: Upscaler, size: Any) -> None:
    with pytest.raises(UserError):
        ttsr.upscale_to(upscaler, PIXELS, size, upscaler.encode_references(PIXELS))


@pytest.mark.parametrize(
    "start",
    [
        [[0]],
        np.zeros((8, 12)),
        np.zeros((8, 11), np.int64),
        np.full((8, 12), -1),
        np.full((8, 12), 6),
        np.full((8, 12), np.nan),
        np.zeros((8, 12), object),
    ],
)
def test_matches_of_something_else_are_refused(upscaler: Upscaler, start: Any) -> None:
    with pytest.raises(UserError, match="start: is not of a picture of this size"):
        upscaler.upscale(PIXELS, upscaler.encode_references(PIXELS), start=start)


def test_matches_may_be_read_only_and_of_another_byte_order(upscaler: Upscaler) -> None:
    references = upscaler.encode_references(PIXELS)
    wanted = upscaler.upscale(PIXELS, references)
    start = read_only(wanted.matches.astype(">i4"))
    assert np.array_equal(upscaler.upscale(PIXELS, references, start=start).picture.rgb, wanted.picture.rgb)


@pytest.mark.parametrize("references", [PIXELS, [PIXELS], ["a.png"], "a.png", 3, [None], torch.zeros(2)])
def test_references_that_are_not_encoded_are_refused(upscaler: Upscaler, references: Any) -> None:
    picture = Picture(PIXELS)
    for call in (upscaler.upscale, upscaler.plan, upscaler.fit_references):
        with pytest.raises(UserError, match="encode_references"):
            call(picture, references)


LR, REF = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0)), torch.rand(1, 3, 24, 28)
TENSORS: dict[str, Callable[[torch.Tensor], Any]] = {
    "NaN": lambda x: x.clone().fill_(torch.nan),
    "one NaN": lambda x: x.where(x < x.max(), torch.nan),
    "infinite": lambda x: x / 0,
    "0 to 255": lambda x: 255 * x,
    "half": lambda x: x.half(),
    "double": lambda x: x.double(),
    "bool": lambda x: x > 0.5,
    "int64": lambda x: x.long(),
    "complex": lambda x: x.to(torch.complex64),
    "meta": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
    "no batch": lambda x: x[0],
    "empty batch": lambda x: x[:0],
    "no rows": lambda x: x[:, :, :0],
    "gray": lambda x: x[:, :1],
    "5-d": lambda x: x[None],
    "NumPy": lambda x: x.numpy(),
    "list": lambda x: x.tolist(),
    "string": lambda x: "lr.png",
}


@pytest.mark.parametrize("name", TENSORS)
@torch.no_grad()
def test_tensors_that_are_no_images_are_refused(tiny_model: TTSR, name: str) -> None:
    make = TENSORS[name]
    calls: list[Callable[[], object]] = [
        lambda: tiny_model(make(LR), REF),
        lambda: tiny_model(LR, make(REF)),
        lambda: tiny_model(LR, [REF, make(REF)]),
        lambda: tiny_model(LR, REF, ref_blur=make(REF)),
        lambda: tiny_model(LR, REF, lr_up=make(REF)),
        lambda: tiny_model.encode_reference(make(REF)),
    ]
    for call in calls:
        with pytest.raises(UserError) as caught:
            call()
        assert "\n" not in str(caught.value)


@torch.no_grad()
def test_tensors_however_they_lie_in_memory(tiny_model: TTSR) -> None:
    wanted = tiny_model(LR, REF)
    for make in (
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        lambda x: x.flip(3).flip(3),
        lambda x: torch.stack([x, x], -1)[..., 0],
        lambda x: x.clone().requires_grad_(),
        lambda x: torch.nn.Parameter(x),
    ):
        lr, ref = make(LR), make(REF)
        output = tiny_model(lr, ref)
        torch.testing.assert_close(output.sr, wanted.sr, atol=1e-6, rtol=0)
        assert torch.equal(output.index, wanted.index)
        assert torch.equal(lr, LR) and torch.equal(ref, REF)


@pytest.mark.parametrize("scale", [0.0, 1e-39, 1e-30, 1e-12])
@torch.no_grad()
def test_denormal_weights_and_pictures_give_finite_results(scale: float) -> None:
    """Products of them are zero or denormal; nothing is divided by such a length."""
    torch.manual_seed(0)
    model = TTSR(ttsr.TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True, refinement_radius=1)).eval()
    dark = model(scale * LR, scale * REF)
    for weight in model.parameters():
        weight.mul_(scale)
    faint = model(LR, REF)
    for output in (dark, faint):
        for values in (output.sr, output.relevance, output.attention):
            assert values.isfinite().all()
        assert output.relevance.abs().max() <= 1 + 1e-5
    torch.testing.assert_close(faint.sr, faint.sr.clamp(0, 1), atol=0, rtol=0)


@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": 8.5},
        {"channels": "8"},
        {"channels": True},
        {"channels": float("nan")},
        {"num_blocks": (1, 1, 1)},
        {"num_blocks": (1, 1, 1, -1)},
        {"extractor_channels": (8, 8)},
        {"extractor_channels": (8, 8, 0)},
        {"refinement_radius": 5},
        {"res_scale": float("inf")},
        {"res_scale": float("nan")},
    ],
)
def test_impossible_networks_are_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ttsr.TTSRConfig(**sizes)
