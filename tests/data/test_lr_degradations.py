"""Worn LR crops."""

import numpy as np
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.lr_degradations import degraded_lr
from ttsr.data.pair_options import PhotosOptions
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import collate
from ttsr.images.resize import downscale4


def same(one: Pixels8 | None, other: Pixels8 | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


def test_they_are_of_the_clean_ones_size_and_near_them():
    gray = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8))  # without chroma
    hr, distances = np.asarray(gray.resize((64, 64), Image.Resampling.BICUBIC).convert("RGB")), []
    for number in range(40):
        worn = degraded_lr(hr, np.random.default_rng(number))
        assert worn.shape == (16, 16, 3) and worn.dtype == np.uint8
        distances.append(np.abs(worn.astype(int) - downscale4(hr)).mean())
    assert min(distances) < 2 and 1 < np.mean(distances) < 8 and len(set(distances)) > 20


def test_the_share_that_is_asked_for_is_worn_and_nothing_else_changes(photos):
    options = PhotosOptions(hr_size=32, ref_size=32)
    clean = PhotoPairs(photos, options, 0)
    worn = PhotoPairs(photos, PhotosOptions(hr_size=32, ref_size=32, lr_degraded=0.5), 0)
    pairs = [(clean[number], worn[number]) for number in range(60)]
    assert all(np.array_equal(a.hr, b.hr) and same(a.ref, b.ref) for a, b in pairs)
    assert 15 <= sum(b.lr is not None for _, b in pairs) <= 45
    batch = collate([b for _, b in pairs])
    for (_, pair), lr, lr_up in zip(pairs, batch.lr, batch.lr_up, strict=True):
        expected = downscale4(pair.hr) if pair.lr is None else pair.lr
        assert np.array_equal(lr.mul(255).round().byte().permute(1, 2, 0).numpy(), expected)
        assert abs(float(lr_up.mean() - lr.mean())) < 0.02
