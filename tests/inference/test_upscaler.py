import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.errors import ImageError, UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.resize import blur_by_resize, upscale4
from ttsr.inference.plan import Plan
from ttsr.inference.upscaled import places
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.relevance import relevance_at
from ttsr.models.correspondence.types import Matches
from ttsr.models.ttsr import TTSR
from ttsr.options import Precision
from ttsr.progress import Cancelled, Progress


def into(fractions: list[float]) -> Progress:
    """A progress that only notes the fractions."""
    return Progress(lambda fraction, _: fractions.append(fraction))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def as_tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255


@pytest.fixture
def upscaler(tiny_model: TTSR) -> Upscaler:
    return Upscaler(tiny_model, device="cpu")


def test_the_model_sees_pillows_bicubic_and_references_cut_to_fours(tiny_model: TTSR, upscaler: Upscaler) -> None:
    lr, references = noise(7, 9, 3), [noise(18, 23, 3, seed=1), noise(12, 8, 3, seed=2)]
    cut = [references[0][:16, :20], references[1]]
    with torch.no_grad():
        expected = tiny_model(
            as_tensor(lr),
            [as_tensor(ref) for ref in cut],
            lr_up=as_tensor(upscale4(lr)),
            ref_blur=[as_tensor(blur_by_resize(ref)) for ref in cut],
        )
    upscaler.set_references(references)
    result = upscaler.upscale(lr)

    sr = (expected.sr[0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(result.picture.rgb.astype(int) - sr).max() <= 1
    np.testing.assert_allclose(result.relevance, expected.relevance[0, 0].numpy(), atol=1e-5)
    assert result.relevance.dtype == np.float32
    assert (result.index.shape, result.index.dtype) == ((7, 9, 3), np.int32)
    flat = expected.index[0].numpy()
    number, y, x = np.moveaxis(result.index, -1, 0)
    np.testing.assert_array_equal(np.where(number == 0, y // 4 * 5 + x // 4, 20 + y // 4 * 2 + x // 4), flat)
    assert not result.own_reference
    assert result.image.size == (36, 28)


def test_places_counts_along_the_references() -> None:
    index = np.array([[0, 5, 6], [9, 10, 11]])
    answer = places(index, [(2, 3), (1, 4), (1, 2)])
    expected = [[[0, 0, 0], [0, 4, 8], [1, 0, 0]], [[1, 0, 12], [2, 0, 0], [2, 0, 4]]]
    np.testing.assert_array_equal(answer, expected)


def test_places_to_the_pixel_stay_within_the_reference() -> None:
    index = np.array([[0, 1], [9, 10]])
    shift = np.array([[[1, 0], [2, -9]], [[0, 3], [-2, -2]]])
    answer = places(index, [(2, 3), (1, 4), (1, 2)], shift)
    expected = [[[0, 1, 0], [0, 0, 7]], [[1, 0, 0], [2, 0, 2]]]
    np.testing.assert_array_equal(answer, expected)


def test_a_refining_model_returns_pixels_and_match_confidence() -> None:
    model = TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), refinement_radius=2)).eval()
    upscaler = Upscaler(model, device="cpu")
    picture = noise(64, 64, 3)
    upscaler.set_references([picture])
    result = upscaler.upscale(picture[10:26, 7:23])
    assert result.confidence.shape == (16, 16, 3)
    assert (result.index[..., 1] % 4).any() and result.index[..., 1:].max() <= 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 2), (3, 3), (4, 4), (13, 6)])
@pytest.mark.parametrize("with_reference", [False, True])
def test_any_size_of_lr(upscaler: Upscaler, shape: tuple[int, int], with_reference: bool) -> None:
    upscaler.set_references([noise(4, 5, 3)] if with_reference else [])
    result = upscaler.upscale(noise(*shape, 3))
    assert result.picture.rgb.shape == (4 * shape[0], 4 * shape[1], 3)
    assert result.relevance.shape == shape
    assert result.own_reference != with_reference


def test_paths_images_arrays_and_pictures_are_alike(tmp_path: Path, upscaler: Upscaler) -> None:
    lr, ref = noise(6, 8, 3), noise(16, 12, 3, seed=1)
    Image.fromarray(lr).save(tmp_path / "lr.png")
    Image.fromarray(ref).save(tmp_path / "ref.png")
    answers = []
    for reference in (
        tmp_path / "ref.png",
        str(tmp_path / "ref.png"),
        ref,
        Image.fromarray(ref),
        read_picture(ref),
    ):
        upscaler.set_references(reference)
        answers.append(upscaler.upscale(lr).picture.rgb)
    for image in (tmp_path / "lr.png", str(tmp_path / "lr.png"), Image.fromarray(lr), read_picture(lr)):
        answers.append(upscaler.upscale(image).picture.rgb)
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


def test_without_references_the_picture_is_its_own(upscaler: Upscaler) -> None:
    lr = noise(8, 12, 3)
    alone = upscaler.upscale(lr)
    upscaler.set_references([lr])
    together = upscaler.upscale(lr)
    np.testing.assert_allclose(alone.relevance, together.relevance, atol=1e-5)
    assert np.abs(alone.picture.rgb.astype(int) - together.picture.rgb).max() <= 1
    assert alone.own_reference
    upscaler.set_references([])
    assert upscaler.upscale(lr).own_reference


def test_references_are_encoded_once(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = TTSR.encode_reference
    monkeypatch.setattr(TTSR, "encode_reference", lambda *args, **kw: calls.append(1) or encode(*args, **kw))
    upscaler.set_references([noise(8, 8, 3), noise(8, 12, 3)])
    for seed in range(3):
        upscaler.upscale(noise(4, 4, 3, seed=seed))
    assert len(calls) == 2


def deep_noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)


def deep_tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rgb.astype(np.float32) / 65535).permute(2, 0, 1)[None]


@pytest.mark.parametrize("deep_reference", [False, True])
def test_the_model_sees_and_gives_all_bits(tiny_model: TTSR, upscaler: Upscaler, deep_reference: bool) -> None:
    lr = deep_noise(7, 9, 3)
    ref, as_input = (deep_noise(16, 20, 3), deep_tensor) if deep_reference else (noise(16, 20, 3), as_tensor)
    with torch.no_grad():
        expected = tiny_model(
            deep_tensor(lr),
            as_input(ref),
            lr_up=deep_tensor(upscale4(lr)),
            ref_blur=as_input(blur_by_resize(ref)),
        )
    result = upscaler.upscale(lr, upscaler.encode_references(ref))
    assert result.picture.bit_depth == 16
    sr = np.clip(np.round(expected.sr[0].permute(1, 2, 0).numpy().astype(float) * 65535), 0, 65535)
    assert np.abs(result.picture.rgb - sr).max() <= 2
    shown = np.asarray(result.image)
    assert shown.dtype == np.uint8
    assert np.abs(shown - sr / 257).max() <= 0.51


def test_deep_gray_is_the_luma(upscaler: Upscaler) -> None:
    gray, references = deep_noise(6, 5), upscaler.encode_references(noise(16, 16, 3))
    colour = upscaler.upscale(np.dstack([gray] * 3), references).picture.rgb
    result = upscaler.upscale(gray, references).picture
    assert result.gray and (result.rgb == result.rgb[..., :1]).all()
    assert np.abs(result.rgb[..., 0] - colour @ np.array([0.299, 0.587, 0.114])).max() < 1.5


def test_gray_stays_gray_and_alpha_goes_apart(upscaler: Upscaler) -> None:
    upscaler.set_references([noise(16, 16, 3)])
    pixels = noise(6, 5, 2)
    result = upscaler.upscale(pixels)
    assert result.image.mode == "LA"
    color = upscaler.upscale(np.dstack([pixels[..., :1]] * 3))
    np.testing.assert_array_equal(np.array(result.image)[..., 0], np.array(color.image.convert("L")))
    assert upscaler.upscale(noise(6, 5, 4)).image.mode == "RGBA"


@pytest.mark.parametrize("deep", [False, True])
def test_alpha_is_upscaled_by_the_network_without_references(tiny_model: TTSR, upscaler: Upscaler, deep: bool) -> None:
    pixels = deep_noise(16, 15, 4) if deep else noise(16, 15, 4)
    largest = np.iinfo(pixels.dtype).max
    pixels[:, 8:, 3] = largest
    upscaler.set_references([noise(16, 16, 3)])
    result = upscaler.upscale(pixels).picture.alpha
    gray = np.dstack([pixels[..., 3]] * 3)
    make = deep_tensor if deep else as_tensor
    with torch.no_grad():
        sr = tiny_model(make(gray), [], lr_up=make(upscale4(gray))).sr[0].permute(1, 2, 0).numpy()
    luma = (sr * largest).round().clip(0, largest) @ np.array([0.299, 0.587, 0.114])
    assert result is not None and result.dtype == pixels.dtype
    assert np.abs(result[:, :28] - luma[:, :28]).max() <= 2
    assert (result[:, 36:] == largest).all()  # opaque stays opaque


def test_a_constant_alpha_takes_no_time_and_clear_black_does_not_darken(upscaler: Upscaler) -> None:
    rgb, calls = np.full((12, 12, 3), 180, np.uint8), []
    upscaler.model.register_forward_hook(lambda *_: calls.append(1))
    opaque = upscaler.upscale(np.dstack([rgb, np.full((12, 12), 200, np.uint8)])).picture
    assert opaque.alpha is not None and (opaque.alpha == 200).all() and len(calls) == 1
    cut = np.dstack([rgb, np.full((12, 12), 255, np.uint8)])
    cut[:, :5] = 0  # clear black
    result = upscaler.upscale(cut).picture
    assert result.alpha is not None and not result.alpha[:, :16].any() and (result.alpha[:, 24:] == 255).all()
    np.testing.assert_array_equal(result.rgb, opaque.rgb)


def test_the_plan_and_the_progress_have_a_part_for_alpha(upscaler: Upscaler) -> None:
    pixels = noise(16, 15, 4)
    plans = [upscaler.plan(read_picture(p)) for p in (pixels, pixels[..., :3])]
    assert plans[0].seconds > plans[1].seconds
    stages: list[tuple[float, str]] = []
    upscaler.upscale(pixels, progress=Progress(lambda *at: stages.append(at)))
    assert [fraction for fraction, _ in stages] == sorted(fraction for fraction, _ in stages)
    assert stages[-1][0] == pytest.approx(1) and stages[0][0] < plans[1].seconds / plans[0].seconds


def test_save_and_progress(tmp_path: Path, upscaler: Upscaler) -> None:
    done: list[float] = []
    encoded: list[float] = []
    upscaler.set_references([noise(8, 8, 3), noise(8, 8, 3)], progress=into(encoded))
    result = upscaler.upscale(noise(6, 5, 3), progress=into(done))
    assert encoded == [0.25, 0.5, 0.75, 1.0]  # keys and textures of each
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
    assert result.save(tmp_path / "out.png") == ()
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").rgb, result.picture.rgb)


def test_a_reference_below_four_pixels_is_named(tmp_path: Path, upscaler: Upscaler) -> None:
    Image.fromarray(noise(3, 9, 3)).save(tmp_path / "small.png")
    with pytest.raises(ImageError, match=r"small\.png: .* 4x4 pixels and has 9x3"):
        upscaler.set_references(tmp_path / "small.png")
    with pytest.raises(ImageError, match="reference 2: "):
        upscaler.set_references([noise(4, 4, 3), noise(4, 3, 3)])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_close(tiny_model: TTSR, upscaler: Upscaler, precision: Precision) -> None:
    try:
        half = Upscaler(tiny_model, device="cpu", precision=precision)
    except UserError as error:
        assert "does not work" in str(error)  # the arithmetic of old processors and PyTorch versions
        return
    lr, ref = noise(8, 8, 3), noise(16, 16, 3, seed=1)
    results = []
    for one in (upscaler, half):
        one.set_references(ref)
        results.append(one.upscale(lr))
    exact, near = (result.picture.rgb.astype(int) for result in results)
    assert np.abs(exact - near).mean() < 4
    np.testing.assert_allclose(results[1].relevance, results[0].relevance, atol=0.03)
    assert results[1].relevance.dtype == np.float32


def test_small_blocks_change_nothing(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    lr = noise(40, 30, 3)
    upscaler.set_references(noise(60, 44, 3, seed=1))
    whole = upscaler.upscale(lr)
    monkeypatch.setattr(Upscaler, "plan", lambda *_: Plan(seconds=1.0, memory_bytes=1, block_bytes=1))
    blocks = upscaler.upscale(lr)
    np.testing.assert_allclose(whole.relevance, blocks.relevance, atol=1e-5)
    # Where two matches are equally good the sums' order may decide.
    assert (whole.index != blocks.index).any(-1).mean() < 0.01
    assert (np.abs(whole.picture.rgb.astype(int) - blocks.picture.rgb) > 1).mean() < 0.02


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError()],
)
def test_running_out_of_memory_is_one_line(
    upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(TTSR, "forward", fail)
    with pytest.raises(UserError, match="device cpu ran out of memory"):
        upscaler.upscale(noise(4, 4, 3))


def test_other_failures_keep_their_name(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(TTSR, "forward", fail)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        upscaler.upscale(noise(4, 4, 3))


def test_metadata_travels(upscaler: Upscaler) -> None:
    picture = read_picture(noise(4, 4, 3))
    noted = Picture(picture.rgb, metadata=picture.metadata, notes=("it was reduced",))
    result = upscaler.upscale(noted)
    assert result.notes == ("it was reduced",)
    assert result.picture.metadata is picture.metadata


def test_references_are_values_that_know_their_source(tmp_path: Path, upscaler: Upscaler) -> None:
    lr, pixels = noise(6, 8, 3), noise(18, 23, 3, seed=1)
    Image.fromarray(pixels).save(tmp_path / "ref.png")
    references = upscaler.encode_references([tmp_path / "ref.png", noise(8, 8, 3)])
    file, array = references
    assert file.source.name == str(tmp_path / "ref.png") and file.source.size == (23, 18)
    assert file.source.sha256 == hashlib.sha256((tmp_path / "ref.png").read_bytes()).hexdigest()
    assert array.source.name == "reference 2" and array.source.sha256 is None
    np.testing.assert_array_equal(file.pixels.to_source, np.eye(3))
    result = upscaler.upscale(lr, references)
    assert result.references == (file, array) and not result.own_reference
    upscaler.set_references([tmp_path / "ref.png", noise(8, 8, 3)])
    np.testing.assert_array_equal(upscaler.upscale(lr).picture.rgb, result.picture.rgb)
    assert upscaler.upscale(lr, ()).own_reference


def test_references_set_during_an_upscale_do_not_change_it(upscaler: Upscaler) -> None:
    lr, first, second = noise(8, 8, 3), noise(16, 16, 3, seed=1), noise(12, 20, 3, seed=2)
    upscaler.set_references(first)
    expected = upscaler.upscale(lr)

    def swap(fraction: float, stage: str) -> None:
        upscaler.set_references(second)

    result = upscaler.upscale(lr, progress=Progress(swap))
    np.testing.assert_array_equal(result.picture.rgb, expected.picture.rgb)
    np.testing.assert_array_equal(result.index, expected.index)


def test_cancelling_stops_the_work(upscaler: Upscaler) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        upscaler.upscale(noise(4, 4, 3), progress=progress)


def test_a_matcher_is_a_choice_of_use(tiny_model: TTSR) -> None:
    class First:
        """Matches everything with the first cell."""

        name = "first"
        cost = EXACT.cost

        def __call__(self, queries: torch.Tensor, keys: Sequence[torch.Tensor], **options: Any) -> Matches:
            batch, _, height, width = queries.shape
            index = torch.zeros(batch, height, width, dtype=torch.long)
            return Matches(relevance_at(queries, keys, index), index)

    upscaler = Upscaler(tiny_model, device="cpu", search=First())
    result = upscaler.upscale(noise(5, 6, 3), upscaler.encode_references(noise(8, 8, 3)))
    assert not result.index.any() and result.relevance.max() <= 1 + 1e-6


def test_the_default_type_of_pytorch_does_not_matter() -> None:
    lr, ref = noise(6, 6, 3), noise(12, 16, 3, seed=1)
    results = []
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            upscaler = Upscaler(device="cpu")
            results.append(upscaler.upscale(lr, upscaler.encode_references(ref)).picture.rgb)
        finally:
            torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(*results)
