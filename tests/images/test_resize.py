import numpy as np
import pytest
from PIL import Image

from ttsr.errors import ImageError
from ttsr.images.resize import blur_by_resize, cut_to_multiple, downscale4, resize_bicubic, upscale4


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (3, 4)])
def test_upscale4_is_pillows_bicubic(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = Image.fromarray(image).resize((shape[1] * 4, shape[0] * 4), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(upscale4(image), np.array(expected))


def test_blur_by_resize_rounds_in_between() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    small = Image.fromarray(image).resize((6, 4), Image.Resampling.BICUBIC)
    expected = small.resize((24, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(blur_by_resize(image), np.array(expected))
    np.testing.assert_array_equal(blur_by_resize(image[..., 0]), np.array(expected)[..., 0])


def test_views_are_accepted() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    view = cut_to_multiple(image)
    assert view.shape == (8, 8, 3)
    np.testing.assert_array_equal(blur_by_resize(view), blur_by_resize(view.copy()))


def by_definition(plane: np.ndarray, side: int, axis: int, largest: int) -> np.ndarray:
    """One axis resized by the cubic convolution (a = -0.5), widened when shrinking; rounded and limited."""
    plane = np.moveaxis(plane.astype(float), axis, 0)
    scale = len(plane) / side
    stretch = max(scale, 1.0)
    centres = (np.arange(side) + 0.5) * scale
    x = np.abs((np.arange(len(plane)) + 0.5 - centres[:, None]) / stretch)
    weights = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    weights /= weights.sum(1, keepdims=True)
    return np.moveaxis(np.clip(np.floor(weights @ plane + 0.5), 0, largest), 0, axis)


@pytest.mark.parametrize("size", [(52, 36), (3, 2), (20, 31)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bicubic_by_its_definition(size: tuple[int, int], dtype: type) -> None:
    """Rows first, then columns, each rounded: the same for both types, one step of rounding apart at most."""
    largest = int(np.iinfo(dtype).max)
    image = np.random.default_rng(0).integers(0, largest + 1, (9, 13, 3)).astype(dtype)
    resized = resize_bicubic(image, *size)
    assert (resized.dtype, resized.shape) == (dtype, (size[1], size[0], 3))
    for channel in range(3):
        rows = by_definition(image[..., channel], size[0], 1, largest)
        expected = by_definition(rows, size[1], 0, largest)
        assert np.abs(resized[..., channel] - expected).max() <= 1
    np.testing.assert_array_equal(resize_bicubic(image[..., 0], *size), resized[..., 0])


def test_sixteen_bits_are_what_eight_are() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    deep = image.astype(np.uint16) * 257
    for resize in (upscale4, downscale4):
        assert np.abs(resize(deep) / 257 - resize(image)).max() < 1.2  # 8 bits are rounded twice


def test_other_types_are_refused() -> None:
    with pytest.raises(ImageError, match="give uint8 or uint16"):
        upscale4(np.zeros((4, 4, 3), np.float32))
