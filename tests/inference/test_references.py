import numpy as np
import pytest

from ttsr.errors import ImageError
from ttsr.images.reading import read_picture
from ttsr.inference.references import own_reference, read_reference


def test_references_are_cut_at_the_right_and_below() -> None:
    rgb = np.arange(7 * 10 * 3, dtype=np.uint8).reshape(7, 10, 3)
    np.testing.assert_array_equal(read_reference(rgb).rgb, rgb[:4, :8])
    with pytest.raises(ImageError, match="reference 1: a reference needs at least 4x4 pixels and has 10x3"):
        read_reference(read_picture(rgb[:3]))


@pytest.mark.parametrize(("shape", "expected"), [((1, 1), (4, 4)), ((3, 9), (4, 8)), ((6, 4), (4, 4))])
def test_a_small_picture_is_continued(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    own = own_reference(rgb)
    assert own.shape == (*expected, 3)
    rows = np.minimum(np.arange(expected[0]), shape[0] - 1)
    columns = np.minimum(np.arange(expected[1]), shape[1] - 1)
    np.testing.assert_array_equal(own, rgb[rows][:, columns])
