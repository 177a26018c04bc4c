"""CUFED's training layout."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from ttsr.data.crops import Pixels8
from ttsr.data.cufed import CufedPairs, fit_reference, list_pairs
from ttsr.data.pair_options import CufedOptions
from ttsr.data.sample import Pair, collate
from ttsr.data.store import open_store
from ttsr.errors import DataError
from ttsr.images.resize import blur_by_resize, downscale4, upscale4

OPTIONS = CufedOptions(hr_size=40, ref_size=48)
PLAIN = replace(OPTIONS, flips=False)
BICUBIC = Image.Resampling.BICUBIC


def of(pair: Pair) -> Pixels8:
    """Its reference, which it must have."""
    assert pair.ref is not None
    return pair.ref


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def equal(first: Pair, second: Pair) -> bool:
    images = ("hr", "ref", "lr", "lr_up", "ref_blur", "ref_mask")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in images)


def place_of(hr: np.ndarray, folder: Path) -> int:
    """Which input an upright crop is cut from."""
    for number in range(6):
        picture = pixels(folder / "input" / f"{number}.png")
        for top in range(5):
            for left in range(9):
                if np.array_equal(picture[top : top + 40, left : left + 40], hr):
                    return number
    raise AssertionError("a crop of no input")


def test_every_pass_holds_every_pair_once_in_another_order(cufed: Path) -> None:
    pairs = CufedPairs(cufed, PLAIN, seed=1)
    seen = [place_of(pairs[number].hr, cufed) for number in range(18)]
    passes = [seen[:6], seen[6:12], seen[12:]]
    assert all(sorted(one) == list(range(6)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_a_pair_depends_on_seed_and_number_alone(cufed: Path) -> None:
    first, again, other = (CufedPairs(cufed, OPTIONS, seed) for seed in (2, 2, 3))
    for number in (5, 0, 13, 5, 1_000_003):
        assert equal(first[number], again[number])
    assert not equal(first[0], first[6]) and not all(equal(first[n], other[n]) for n in range(6))


def test_input_and_reference_belong_together_and_crops_are_inside(cufed: Path) -> None:
    pairs = CufedPairs(cufed, PLAIN, seed=1)
    for number in range(6):
        pair = pairs[number]
        place = place_of(pair.hr, cufed)
        (path,) = (cufed / "ref").glob(f"{place}.*")
        assert np.array_equal(of(pair)[:40, :40], pixels(path)) and not of(pair)[40:].any()


def test_degraded_first_and_flipped_after_each_side_independently(cufed: Path) -> None:
    """Each of the eight flips occurs on both sides, not always the same, and undoing it gives the upright pictures."""
    pairs = CufedPairs(cufed, replace(OPTIONS, hr_size=44), seed=4)
    originals = {n: pixels(cufed / "input" / f"{n}.png") for n in range(6)}
    seen = set()
    for number in range(120):
        pair = pairs[number]
        assert pair.lr is not None and pair.lr_up is not None and pair.ref_blur is not None
        flips = []
        for image, small in ((pair.hr, pair.lr), (of(pair), pair.ref_blur)):
            for code in range(8):
                upright, upright_small = (np.rot90(i[:, ::-1] if code >= 4 else i, -code % 4) for i in (image, small))
                if image is pair.hr:
                    good = any(
                        np.array_equal(upright, original[:, left : left + 44])
                        for original in originals.values()
                        for left in range(5)
                    )
                    same = good and np.array_equal(downscale4(upright), upright_small)
                else:
                    good = not upright[40:].any() and not upright[:, 40:].any()  # the padding is at right and bottom
                    same = good and np.array_equal(blur_by_resize(upright[:40, :40]), upright_small[:40, :40])
                if same:
                    flips.append(code)
                    break
        assert len(flips) == 2
        seen.add(tuple(flips))
        upright = np.rot90(pair.lr_up[:, ::-1] if flips[0] >= 4 else pair.lr_up, -flips[0] % 4)
        upright_small = np.rot90(pair.lr[:, ::-1] if flips[0] >= 4 else pair.lr, -flips[0] % 4)
        assert np.array_equal(upright, upscale4(upright_small))
    assert {first for first, _ in seen} == set(range(8))
    assert len(seen) > 20


@pytest.mark.parametrize("order", ["degrade-then-pad", "pad-then-degrade"])
def test_the_mask_is_flipped_with_the_reference(cufed: Path, order) -> None:
    options = replace(OPTIONS, padding=order, mask_padding=True)
    pairs = CufedPairs(cufed, options, seed=0)
    corners = set()
    for number in range(24):
        pair = pairs[number]
        assert pair.ref_mask is not None and pair.ref_mask.shape == (12, 12) and pair.ref_mask.sum() == 100
        cells = of(pair).reshape(12, 4, 12, 4, 3).any((1, 3, 4))
        assert np.array_equal(cells, pair.ref_mask)
        corners.add(tuple(pair.ref_mask[[0, 0, -1, -1], [0, -1, 0, -1]]))
    assert len(corners) == 4


def test_a_batch_has_a_mask_only_where_something_is_to_be_masked(cufed: Path) -> None:
    shutil.copy(cufed / "input" / "0.png", cufed / "ref" / "0.png")  # 44x48

    def batch_of(**changes):
        pairs = CufedPairs(cufed, replace(PLAIN, **changes), seed=0)
        return collate([pairs[number] for number in range(6)])

    assert batch_of(mask_padding=False).ref_mask is None
    assert batch_of(mask_padding=True, ref_size=40).ref_mask is None
    mask = batch_of(mask_padding=True).ref_mask
    assert mask is not None and sorted(mask.sum((1, 2)).tolist()) == [100] * 5 + [132]
    unmasked = Pair(np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48, 3), np.uint8))
    masked = replace(unmasked, ref_mask=np.eye(12, dtype=bool))
    mixed = collate([unmasked, masked]).ref_mask
    assert mixed is not None and mixed[0].all() and mixed[1].sum() == 12


def break_pictures(folder: Path) -> None:
    """Input 1 is cut off, reference 3 is no picture, input 5 is too small."""
    whole = folder / "input" / "1.png"
    whole.write_bytes(whole.read_bytes()[:1500])
    (folder / "ref" / "3.png").write_bytes(b"nothing")
    Image.fromarray(np.zeros((39, 60, 3), np.uint8)).save(folder / "input" / "5.png")


def test_another_pair_stands_in_for_an_unusable_one(cufed: Path) -> None:
    whole = [CufedPairs(cufed, PLAIN, seed=1)[number] for number in range(6)]
    break_pictures(cufed)
    pairs = CufedPairs(cufed, PLAIN, seed=1)
    assert pairs.skipped == ()
    unusual = [pairs[number] for number in range(6)]
    reasons = {reason for pair in unusual for reason in pair.skipped}
    assert len(reasons) == 3
    for name, why in (("input/1.png", "cut off"), ("ref/3.png", "not a picture"), ("input/5.png", "60x39 is smaller")):
        assert sum(f"{cufed}/{name}" in reason and why in reason for reason in reasons) == 1
    for before, now in zip(whole, unusual, strict=True):
        assert equal(before, now) != bool(now.skipped)
    for number in (3, 1, 5, 0, 2, 4):  # whoever asks, in whatever order, having met the bad ones or not
        fresh = CufedPairs(cufed, PLAIN, seed=1)[number]
        assert equal(fresh, unusual[number]) and fresh.skipped == unusual[number].skipped
    batch = collate(unusual)
    assert sorted(batch.skipped) == sorted(reasons) and len(batch) == 6


@pytest.mark.parametrize(("shape", "ref_size"), [((44, 48), 40), ((88, 96), 40), ((88, 96), 60), ((44, 30), 40)])
def test_a_larger_reference_is_cropped_where_its_input_is(cufed: Path, shape: tuple[int, int], ref_size: int) -> None:
    """As far along as the input; ramps tell where both were cropped."""

    def ramps(height: int, width: int) -> np.ndarray:
        rows, columns = np.mgrid[:height, :width]
        return np.stack([rows, columns, np.full_like(rows, 200)], -1).astype(np.uint8)

    for number in range(6):
        (cufed / "ref" / f"{number}.jpg").unlink(missing_ok=True)
        Image.fromarray(ramps(44, 48)).save(cufed / "input" / f"{number}.png")
        Image.fromarray(ramps(*shape)).save(cufed / "ref" / f"{number}.png")
    pairs = CufedPairs(cufed, replace(PLAIN, ref_size=ref_size), seed=0)
    places = set()
    for number in range(24):
        (top, left, _), (ref_top, ref_left, _) = pairs[number].hr[0, 0].tolist(), of(pairs[number])[0, 0].tolist()
        assert ref_top == round(top * max(0, shape[0] - ref_size) / 4)
        assert ref_left == round(left * max(0, shape[1] - ref_size) / 8)
        places.add((top, left))
    assert len(places) > 10


def test_of_a_larger_reference_to_a_whole_input_the_top_left_is_kept(cufed: Path) -> None:
    for number in range(6):
        Image.open(cufed / "input" / f"{number}.png").crop((0, 0, 40, 40)).save(cufed / "input" / f"{number}.png")
    pairs = CufedPairs(cufed, replace(PLAIN, ref_size=32), seed=0)
    for number in range(6):
        pair = pairs[number]
        (path,) = (cufed / "ref").glob(f"{place_of(pair.hr, cufed)}.*")
        assert np.array_equal(of(pair), pixels(path)[:32, :32])


def test_a_set_of_which_nothing_can_be_used_says_so(cufed: Path) -> None:
    pairs = CufedPairs(cufed, replace(OPTIONS, hr_size=160), 0)
    with pytest.raises(DataError, match=r"none of its 6 pairs can be used; the first: .*48x44 is smaller than"):
        pairs[3]


def test_pairs_are_the_same_whatever_the_workers(cufed: Path) -> None:
    break_pictures(cufed)
    pairs = CufedPairs(cufed, replace(OPTIONS, mask_padding=True), 0)
    numbers = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    alone, helped = (
        list(DataLoader(pairs, batch_sampler=numbers, collate_fn=collate, num_workers=workers)) for workers in (0, 2)
    )
    for first, second in zip(alone, helped, strict=True):
        for name in ("hr", "lr", "lr_up", "ref", "ref_blur", "ref_mask"):
            assert getattr(first, name).equal(getattr(second, name))
        assert first.skipped == second.skipped


def test_what_is_missing_is_named(cufed: Path, tmp_path: Path) -> None:
    def refused(match: str, folder: Path = cufed) -> None:
        with pytest.raises(DataError, match=match) as caught:
            CufedPairs(folder, OPTIONS, 0)
        assert "\n" not in str(caught.value)

    refused("no such folder", tmp_path / "none")
    refused("input/ and ref/", cufed / "ref")
    (cufed / "ref" / "3.png").unlink()
    (cufed / "ref" / "2.jpg").unlink()
    refused(r"2 of 6 inputs have no reference, the first is input/2\.png: add ref/2\.png or remove it")
    shutil.copytree(cufed, tmp_path / "whole" / "train")
    refused(r"whole/train: 2 of 6 inputs", tmp_path / "whole")
    for file in (cufed / "ref").iterdir():
        file.unlink()
    refused("no pictures in ref/, 6 beside it")
    shutil.rmtree(cufed / "input")
    refused("input/ and ref/")


def test_a_reference_may_have_another_suffix_but_only_one(cufed: Path) -> None:
    names = dict(list_pairs(open_store(cufed)))
    assert names["input/1.png"] == "ref/1.png" and names["input/2.png"] == "ref/2.jpg"
    shutil.copy(cufed / "ref" / "2.jpg", cufed / "ref" / "2.jpeg")
    with pytest.raises(DataError, match=r"ref/2\.jpeg and ref/2\.jpg both are references of input/2\.png"):
        CufedPairs(cufed, OPTIONS, 0)
    shutil.copy(cufed / "ref" / "2.jpg", cufed / "ref" / "2.png")
    assert dict(list_pairs(open_store(cufed)))["input/2.png"] == "ref/2.png"


@pytest.mark.parametrize("changes", [{"hr_size": 42}, {"ref_size": 12}])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        replace(OPTIONS, **changes)


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(0).integers(100, 256, (19, 24, 3), dtype=np.uint8)


def test_degrade_then_pad_blurs_the_reference_at_its_own_size(reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 32, "degrade-then-pad")
    small = Image.fromarray(reference).resize((6, 4), BICUBIC)  # 24 and 19 pixels, the quarter rounded down
    expected = np.zeros((32, 32, 3), np.uint8)
    expected[:19, :24] = np.asarray(small.resize((24, 19), BICUBIC))
    assert np.array_equal(blurred, expected)
    assert np.array_equal(ref[:19, :24], reference) and not ref[19:].any() and not ref[:, 24:].any()
    assert mask.shape == (8, 8) and mask[:4, :6].all() and mask.sum() == 24


def test_pad_then_degrade_blurs_the_edge_of_the_padding_too(reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 32, "pad-then-degrade")
    padded = np.zeros((32, 32, 3), np.uint8)
    padded[:19, :24] = reference
    small = Image.fromarray(padded).resize((8, 8), BICUBIC)
    assert np.array_equal(ref, padded)
    assert np.array_equal(blurred, np.asarray(small.resize((32, 32), BICUBIC)))
    assert blurred[19, :24].any()  # the picture bleeds into its padding
    assert mask.sum() == 24


@pytest.mark.parametrize("order", ["degrade-then-pad", "pad-then-degrade"])
def test_of_a_larger_reference_the_top_left_is_kept(order, reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 16, order)
    assert np.array_equal(ref, reference[:16, :16])
    assert np.array_equal(blurred, blur_by_resize(reference[:16, :16]))
    assert mask.all()
