import numpy as np
import pytest
from PIL import Image

from ttsr.errors import ImageError
from ttsr.images.resize import blur_by_resize, cut_to_multiple, upscale4


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


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_types_than_8_bits_are_refused(dtype: type) -> None:
    with pytest.raises(ImageError, match="reduce them to 8 bits"):
        upscale4(np.zeros((4, 4, 3), dtype))
