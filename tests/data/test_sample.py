"""Batches of pairs."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.data.sample import Batch, Pair, collate


def noise(seed: int, side: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def test_a_batch_is_degraded_as_the_weights_are_used():
    image = noise(10, 32)
    batch = collate([Pair(image, image), Pair(image[::-1], image, np.eye(3))])
    assert batch.ref_blur is not None
    assert batch.hr.shape == batch.lr_up.shape == batch.ref_blur.shape == (2, 3, 32, 32)
    assert batch.lr.shape == (2, 3, 8, 8)
    assert batch.known.tolist() == [False, True]
    small = Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC)
    expected = np.array(small.resize((32, 32), Image.Resampling.BICUBIC))
    assert torch.equal((batch.lr_up[0] * 255).round().byte().permute(1, 2, 0), torch.from_numpy(expected))
    torch.testing.assert_close(batch.ref_blur[0], batch.lr_up[0])


def test_what_a_data_set_degraded_itself_is_taken_as_it_is():
    pair = Pair(noise(1, 32), noise(2, 32), lr=noise(3, 8), lr_up=noise(4, 32), ref_blur=noise(5, 32))
    batch = collate([pair])
    for name in ("hr", "ref", "lr", "lr_up", "ref_blur"):
        pixels = (getattr(batch, name)[0] * 255).round().byte().permute(1, 2, 0)
        assert np.array_equal(pixels.numpy(), getattr(pair, name)), name


def test_a_batch_tells_its_size_and_each_skipped_picture_once():
    image = noise(0, 16)
    batch = collate([Pair(image, image, skipped=("b: bad", "a: bad")), Pair(image, image, skipped=("a: bad",))])
    assert len(batch) == 2
    assert batch.skipped == ("b: bad", "a: bad")
    assert batch.ref_mask is None


@pytest.mark.parametrize("masked", [False, True])
def test_a_batch_moves_whole(masked):
    image = noise(0, 16)
    batch = collate([Pair(image, image, ref_mask=np.eye(4, dtype=bool) if masked else None, skipped=("a: bad",))])
    moved = batch.to(torch.device("meta"))
    for field in fields(Batch):
        before, after = getattr(batch, field.name), getattr(moved, field.name)
        if isinstance(before, torch.Tensor):
            assert after.device.type == "meta" and after.shape == before.shape and after.dtype == before.dtype
        else:
            assert after == before
    assert (moved.ref_mask is not None) == masked


def test_every_tensor_of_a_batch_is_pinned(monkeypatch):
    """Without a GPU nothing can be pinned: see who is asked."""
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
    image = noise(0, 16)
    batch = collate([Pair(image, image, ref_mask=np.eye(4, dtype=bool), skipped=("a: bad",))])
    result = batch.pin_memory()
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 8 and {id(tensor) for tensor in pinned} == {id(tensor) for tensor in tensors}
    assert result.skipped == batch.skipped and torch.equal(result.hr, batch.hr) and result.hr is not batch.hr
