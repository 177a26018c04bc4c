"""Mined pairs among those made from photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.data.mined_pairs import MinedPairs
from ttsr.data.pair_options import PhotosOptions
from ttsr.data.photos import PhotoPairs
from ttsr.errors import DataError


def gradient(height: int, width: int, blue: int) -> np.ndarray:
    """Its red is the row and its green the column, so that a crop tells where it is from."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.full_like(rows, blue)], -1).astype(np.uint8)


@pytest.fixture
def mined(tmp_path: Path) -> Path:
    """A pair of 64x64, and one that is too small."""
    for side, blue in (("input", 10), ("ref", 20)):
        (tmp_path / "mined" / side).mkdir(parents=True)
        Image.fromarray(gradient(64, 64, blue)).save(tmp_path / "mined" / side / "a.png")
        Image.fromarray(gradient(64, 30, blue)).save(tmp_path / "mined" / side / "b.png")
    return tmp_path / "mined"


def test_both_are_cropped_as_far_along_and_flipped_alike(mined: Path) -> None:
    pairs, rng = MinedPairs(mined, 32, 32), np.random.default_rng(0)
    assert len(pairs.pairs) == len(pairs.skipped) == 1
    assert "30x64 is smaller than the crop of 32" in pairs.skipped[0]
    drawn = [pairs.draw(rng) for _ in range(40)]
    corners, turned = set(), 0
    for pair in drawn:
        assert pair.ref is not None and pair.to_ref is None
        assert np.array_equal(pair.hr[..., :2], pair.ref[..., :2])
        assert (pair.hr[..., 2] == 10).all() and (pair.ref[..., 2] == 20).all()
        corners.add(tuple(pair.hr[..., :2].min((0, 1))))
        turned += bool(pair.hr[0, 0, 0] != pair.hr[0, 1, 0])
    assert len(corners) > 20 and 10 < turned < 30
    wider = MinedPairs(mined, 16, 32).draw(rng)
    assert wider.hr.shape == (16, 16, 3) and wider.ref is not None and wider.ref.shape == (32, 32, 3)


def test_they_are_the_share_of_the_pairs_that_is_asked_for(mined: Path, photos: Path) -> None:
    options = PhotosOptions(hr_size=32, ref_size=32, mined_share=0.5, noise=0.0)

    def share(pairs: PhotoPairs) -> float:
        return float(np.mean([(pairs[number].hr[..., 2] == 10).all() for number in range(100)]))

    assert 0.35 < share(PhotoPairs(photos, options, 1, mined=mined)) < 0.65
    assert share(PhotoPairs(photos, options, 1)) == 0


def test_unusable_ones_are_refused(mined: Path) -> None:
    with pytest.raises(DataError, match=r"mined: none of its 2 pairs can be used; the first: .*64x64 is smaller"):
        MinedPairs(mined, 128, 128)
    with pytest.raises(DataError, match="no such folder"):
        MinedPairs(mined / "nowhere", 32, 32)
