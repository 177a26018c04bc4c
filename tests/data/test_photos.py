"""Pairs made on the fly from photos."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.pair_options import PhotosOptions, Warp
from ttsr.data.photos import PhotoPairs, match_template
from ttsr.data.sample import Pair, collate
from ttsr.data.views import color_jitter, draw_window, two_views, window_side
from ttsr.errors import DataError
from ttsr.geometry import warp

STILL = Warp(rotation=0, scale=0, shift=0, perspective=0, gain=0, gamma=0, offset=0)


def of(pair: Pair) -> Pixels8:
    """Its reference, which it must have."""
    assert pair.ref is not None
    return pair.ref


def same(one: Pixels8 | None, other: Pixels8 | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


def photo(seed: int, height: int = 200, width: int = 240) -> np.ndarray:
    """Smooth shapes with some fine texture."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return (smooth + rng.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)


def folder_of(path: Path, photos: list[np.ndarray], rows: list[dict[str, str]] | None = None) -> Path:
    path.mkdir()
    for number, pixels in enumerate(photos):
        Image.fromarray(pixels).save(path / f"{number}.png")
    if rows is not None:
        with (path / "manifest.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["file", "open", "group"])
            writer.writeheader()
            writer.writerows(rows)
    return path


def test_a_pair_depends_on_seed_and_number_alone(tmp_path):
    folder = folder_of(tmp_path / "p", [photo(1), photo(2)])
    options = PhotosOptions(hr_size=48, ref_size=64)
    first, again = PhotoPairs(folder, options, seed=3), PhotoPairs(folder, options, seed=3)
    for number in (5, 0, 5):
        assert np.array_equal(first[number].hr, again[number].hr)
        assert same(first[number].ref, again[number].ref)
    assert not np.array_equal(first[0].hr, first[1].hr)
    assert not np.array_equal(first[0].hr, PhotoPairs(folder, options, seed=4)[0].hr)
    assert first[0].hr.shape == (48, 48, 3) and of(first[0]).shape == (64, 64, 3)


def test_the_homography_leads_from_hr_to_the_same_place_of_the_reference():
    """Sampling the reference through it gives the HR crop back, up to resampling."""
    rng = np.random.default_rng(0)
    limits = Warp(gain=0, gamma=0, offset=0)
    for seed in range(8):
        smooth = Image.fromarray(photo(seed)).resize((480, 400), Image.Resampling.BICUBIC)
        pair = two_views(draw_window(np.asarray(smooth), window_side(64, 64), 64, rng), 64, 64, limits, rng)
        assert pair.to_ref is not None
        back = warp(of(pair), pair.to_ref, (64, 64)).astype(int)
        inside = warp(np.full_like(pair.ref, 255), pair.to_ref, (64, 64)).min(-1) == 255
        inside[[0, 1, -2, -1]] = inside[:, [0, 1, -2, -1]] = False
        assert inside.mean() > 0.1
        error = np.abs(back - pair.hr)[inside].mean()
        unrelated = np.abs(np.roll(back, 16, 0) - pair.hr)[inside].mean()
        assert error < 6 < 2 * error + 6 < unrelated


def test_without_a_warp_the_reference_is_the_crop():
    rng = np.random.default_rng(1)
    pair = two_views(draw_window(photo(3), window_side(40, 40), 40, rng), 40, 40, STILL, rng)
    assert same(pair.hr, pair.ref) and pair.to_ref is not None
    np.testing.assert_allclose(pair.to_ref / pair.to_ref[2, 2], np.eye(3), atol=1e-9)


def test_color_jitter_changes_colours_and_keeps_shape():
    image, rng = photo(4), np.random.default_rng(2)
    changed = color_jitter(image, Warp(), rng)
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert 0 < np.abs(changed.astype(int) - image).mean() < 60
    assert np.array_equal(color_jitter(image, STILL, rng), image)


def test_a_crop_is_found_in_another_photo():
    whole = photo(5, 240, 320)
    correlation, top, left = match_template(whole[64:160, 120:216], whole)
    assert correlation > 0.99 and (top, left) == (64, 120)
    assert match_template(photo(6)[:96, :96], whole)[0] < 0.7


def test_photos_of_a_group_serve_as_each_others_references(tmp_path):
    scene = photo(7, 240, 320)
    brighter = (scene * 0.5 + 100).astype(np.uint8)
    rows = [{"file": "0.png", "open": "yes", "group": "a"}, {"file": "1.png", "open": "yes", "group": "a"}]
    folder = folder_of(tmp_path / "p", [scene, brighter], rows)
    options = PhotosOptions(hr_size=48, ref_size=48, group_share=1.0, unrelated_share=0.0, warp=STILL)
    pairs = [PhotoPairs(folder, options, seed=1)[number] for number in range(12)]
    of_group = [pair for pair in pairs if pair.to_ref is None]
    assert len(of_group) >= 8
    contrasts = [of(pair).std() / pair.hr.std() for pair in of_group]
    assert all(0.4 < c < 0.6 or 1.6 < c < 2.5 for c in contrasts)


def test_photos_that_do_not_fit_into_memory_are_not_decoded(tmp_path, monkeypatch):
    """The headers tell; photos that are left out anyway do not count."""
    folder = folder_of(tmp_path / "p", [photo(1), photo(2), photo(3, 40, 2000)])
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:100])
    options = PhotosOptions(hr_size=48, ref_size=48)
    needed = 2 * 200 * 240 * 3 + 200 * 240 * 3  # the one that is cut off has a whole header
    monkeypatch.setattr("ttsr.data.photos.available_bytes", lambda device: needed)
    assert len(PhotoPairs(folder, options, 0).photos) == 2
    monkeypatch.setattr("ttsr.data.photos.available_bytes", lambda device: needed - 1)
    monkeypatch.setattr("ttsr.data.photos._decode", None)
    match = r"take 0\.0 GB of memory .* 0\.0 GB are free: .*smaller copies"
    with pytest.raises(DataError, match=match) as caught:
        PhotoPairs(folder, options, 0)
    assert "\n" not in str(caught.value)


def test_only_open_photos_are_taken(tmp_path):
    rows = [{"file": "0.png", "open": "yes", "group": ""}, {"file": "1.png", "open": "no", "group": ""}]
    folder = folder_of(tmp_path / "p", [photo(8), photo(9)], rows)
    assert len(PhotoPairs(folder, PhotosOptions(only_open=True), 0).photos) == 1
    assert len(PhotoPairs(folder, PhotosOptions(), 0).photos) == 2


def test_bad_folders_are_named(tmp_path):
    options = PhotosOptions()
    with pytest.raises(DataError, match="no such folder"):
        PhotoPairs(tmp_path / "none", options, 0)
    with pytest.raises(DataError, match=r"no manifest\.csv"):
        PhotoPairs(folder_of(tmp_path / "a", [photo(1)]), PhotosOptions(only_open=True), 0)
    with pytest.raises(DataError, match=r"none of its 1 photos can be used; the first: .*smaller than the crops"):
        PhotoPairs(folder_of(tmp_path / "b", [photo(1, 200, 90)]), options, 0)
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="no photos in it"):
        PhotoPairs(tmp_path / "c", options, 0)
    rows = [{"file": "0.png", "open": "no", "group": ""}]
    with pytest.raises(DataError, match="none of 1 photos has open = yes"):
        PhotoPairs(folder_of(tmp_path / "d", [photo(1)], rows), PhotosOptions(only_open=True), 0)


def test_unusable_photos_are_named_and_the_rest_serve(tmp_path):
    """The pairs are those of a folder that never had them."""
    options = PhotosOptions(hr_size=48, ref_size=48, group_share=1.0, min_correlation=-1.0)
    names = ["0.png", "1.png", "2.png", "small.png", "cut.jpg", "missing.png"]
    rows = [{"file": name, "open": "yes", "group": "scene"} for name in names]
    good = folder_of(tmp_path / "good", [photo(number) for number in range(3)], rows[:3])
    bad = folder_of(tmp_path / "bad", [photo(number) for number in range(3)], [*rows[3:5], *rows[:3], rows[5]])
    Image.fromarray(photo(3, 47, 200)).save(bad / "small.png")
    Image.fromarray(photo(4)).save(bad / "cut.jpg")
    (bad / "cut.jpg").write_bytes((bad / "cut.jpg").read_bytes()[:3000])
    whole, broken = PhotoPairs(good, options, 1), PhotoPairs(bad, options, 1)
    assert whole.skipped == ()
    small, cut, missing = broken.skipped
    assert small == f"{bad}/small.png: 200x47 is smaller than the crops of 48 px"
    assert f"{bad}/cut.jpg: damaged or cut off" in cut
    assert missing == f"{bad}/missing.png: there is no such file"
    assert whole.others == broken.others == [[1, 2], [0, 2], [0, 1]]
    for number in range(10):
        assert np.array_equal(whole[number].hr, broken[number].hr)
        assert same(whole[number].ref, broken[number].ref)


@pytest.mark.parametrize("changes", [{"blur": 3.0}, {"noise": 20.0}, {"jpeg": 1.0}])
def test_degradations_change_the_reference_alone(changes, tmp_path):
    folder = folder_of(tmp_path / "p", [photo(1), photo(2)])
    options = PhotosOptions(hr_size=48, ref_size=64, unrelated_share=0.3)
    clean, degraded = PhotoPairs(folder, options, 3), PhotoPairs(folder, replace(options, **changes), 3)
    differences = []
    for number in range(8):
        before, after = clean[number], degraded[number]
        assert np.array_equal(before.hr, after.hr)
        assert of(after).dtype == np.uint8 and of(after).shape == of(before).shape
        differences.append(np.abs(of(after).astype(int) - of(before)).mean())
        assert (before.to_ref is None) == (after.to_ref is None)
        assert same(after.ref, degraded[number].ref)
    assert 1 < np.mean(differences) < 20 and len(set(differences)) > 4


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"jpeg": 1.5}, "jpeg must lie"), ({"blur": -1.0}, "blur must lie"), ({"noise": float("nan")}, "noise must lie")],
)
def test_degradations_out_of_range_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        PhotosOptions(**wrong)


def test_half_of_the_crops_are_of_the_photo_at_a_smaller_scale():
    """A ramp's slope tells the scale."""
    ramp = np.repeat(np.repeat((np.arange(240) % 256).astype(np.uint8)[None, :, None], 200, 0), 3, 2)
    rng, slopes = np.random.default_rng(0), []
    for _ in range(200):
        values = draw_window(ramp, 64, 48, rng, downscale=0.5).astype(float)[8:-8, 8:-8, 0]
        slopes.append(max(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))
    as_it_is = np.isclose(slopes, 1)
    assert 0.35 < as_it_is.mean() < 0.65 and max(slopes) <= 2.03
    assert 1.2 < np.median(np.array(slopes)[~as_it_is]) < 1.6


def test_a_photo_hardly_larger_than_the_crop_is_not_made_smaller_than_it(tmp_path):
    folder = folder_of(tmp_path / "p", [photo(1, 52, 60)])
    pairs = PhotoPairs(folder, PhotosOptions(hr_size=48, ref_size=48, downscale=0.3), 0)
    assert all(pairs[number].hr.shape == (48, 48, 3) for number in range(30))


def test_large_photos_are_drawn_by_their_area(tmp_path):
    folder = folder_of(tmp_path / "p", [np.full((60, 60, 3), 10, np.uint8), np.full((180, 180, 3), 200, np.uint8)])
    for by_area, least, most in ((False, 0.3, 0.7), (True, 0.8, 1.0)):
        pairs = PhotoPairs(folder, PhotosOptions(hr_size=48, ref_size=48, by_area=by_area), 0)
        large = np.mean([pairs[number].hr.mean() > 100 for number in range(100)])
        assert least < large < most


def test_crops_alone_have_no_reference(tmp_path):
    pairs = PhotoPairs(folder_of(tmp_path / "p", [photo(1)]), PhotosOptions(hr_size=48), 0, with_references=False)
    assert pairs[0].ref is None
    batch = collate([pairs[0], pairs[1]])
    assert batch.ref is None and batch.ref_blur is None and batch.hr.shape == (2, 3, 48, 48) and len(batch) == 2
