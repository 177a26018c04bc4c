"""Pictures of 8 and 16 bits, and pixels as the network's input."""

import numpy as np
import pytest
import torch

from ttsr.errors import ImageError
from ttsr.images.picture import Picture, to_tensor


@pytest.mark.parametrize(("dtype", "depth", "white"), [(np.uint8, 8, 255), (np.uint16, 16, 65535)])
def test_bits_follow_from_the_type(dtype: type, depth: int, white: int) -> None:
    picture = Picture(np.zeros((2, 3, 3), dtype), np.zeros((2, 3), dtype))
    assert (picture.bit_depth, picture.max_value, picture.size) == (depth, white, (3, 2))


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.int32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_pixels_are_refused(rgb: np.ndarray) -> None:
    with pytest.raises(ImageError, match="are no picture"):
        Picture(rgb)


@pytest.mark.parametrize(
    "alpha", [np.zeros((4, 4), np.uint16), np.zeros((4, 5), np.uint8), np.zeros((4, 4, 1), np.uint8)]
)
def test_alpha_must_fit_the_pixels(alpha: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"alpha of .* give uint8 of shape \(4, 4\)"):
        Picture(np.zeros((4, 4, 3), np.uint8), alpha)


def test_tensor_values_and_order(device: torch.device) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    # A flipped view, as cropping and rotating give them.
    tensor = to_tensor(images[0], images[1, ::-1], device=device)
    assert (tensor.shape, tensor.dtype, tensor.device.type) == ((2, 3, 5, 7), torch.float32, device.type)
    assert tensor[0, 1, 4, 2] == np.float32(images[0, 4, 2, 1]) / np.float32(255)
    assert tensor[1, 2, 0, 6] == np.float32(images[1, 4, 6, 2]) / np.float32(255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_largest_value_of_the_type_is_one(dtype: type, device: torch.device) -> None:
    white, black = np.full((1, 1, 3), np.iinfo(dtype).max, dtype), np.zeros((1, 1, 3), dtype)
    assert to_tensor(white, device=device).tolist() == [[[[1.0]]] * 3]
    assert to_tensor(black, device=device).tolist() == [[[[0.0]]] * 3]


def test_types_do_not_mix_in_a_batch() -> None:
    with pytest.raises(ValueError, match="different types"):
        to_tensor(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint16))
