"""Pixels to the network's input."""

import numpy as np
import torch

from ttsr.images.tensors import to_tensor


def test_values_and_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    # A view turned over, as cutting and turning pictures makes them.
    tensor = to_tensor(images[0], images[1, ::-1])
    assert (tensor.shape, tensor.dtype) == ((2, 3, 5, 7), torch.float32)
    assert tensor[0, 1, 4, 2] == np.float32(images[0, 4, 2, 1]) / np.float32(255)
    assert tensor[1, 2, 0, 6] == np.float32(images[1, 4, 6, 2]) / np.float32(255)


def test_range() -> None:
    white, black = to_tensor(np.full((1, 1, 3), 255, np.uint8)), to_tensor(np.zeros((1, 1, 3), np.uint8))
    assert white.tolist() == [[[[1.0]]] * 3]
    assert black.tolist() == [[[[0.0]]] * 3]
