"""CUFED's training layout."""

import numpy as np
import pytest
from PIL import Image

from ttsr.data.cufed import CufedPairs
from ttsr.errors import DataError


@pytest.fixture
def data(tmp_path):
    for number, side in enumerate(("input", "ref")):
        (tmp_path / side).mkdir()
        for name in range(5):
            pixels = np.full((42, 40, 3), 40 * name + number, dtype=np.uint8)
            pixels[:20] += 10
            Image.fromarray(pixels).save(tmp_path / side / f"{name}.png")
    return tmp_path


def test_every_pass_holds_every_pair_once_in_another_order(data):
    pairs = CufedPairs(data, seed=1)
    seen = [int(pairs[number].hr.min()) // 40 for number in range(15)]
    passes = [seen[:5], seen[5:10], seen[10:]]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_input_and_reference_belong_together_and_turn_apart(data):
    pairs = CufedPairs(data, seed=2)
    shapes = set()
    for number in range(30):
        pair = pairs[number]
        assert int(pair.ref.min()) == int(pair.hr.min()) + 1
        assert pair.hr.shape == pair.ref.shape == (40, 40, 3)
        shapes.add((tuple(pair.hr[0, [0, -1], 0] % 40), tuple(pair.ref[0, [0, -1], 0] % 40)))
        assert np.array_equal(pair.hr, CufedPairs(data, seed=2)[number].hr)
    assert len(shapes) > 4


def test_what_is_missing_is_named(data, tmp_path):
    with pytest.raises(DataError, match="input/ and ref/"):
        CufedPairs(tmp_path / "ref", 0)
    (data / "ref" / "3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 5 references are missing, first 3\.png"):
        CufedPairs(data, 0)
    for file in (data / "input").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no pictures"):
        CufedPairs(data, 0)


def test_a_corrupt_picture_is_named(data):
    (data / "input" / "0.png").write_bytes(b"nothing")
    pairs = CufedPairs(data, 0)
    with pytest.raises(DataError, match=r"0\.png"):
        for number in range(5):
            pairs[number]
