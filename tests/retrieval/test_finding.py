import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ttsr
from ttsr.errors import ImageError, UserError
from ttsr.images.resize import downscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.registration.pose import PoseKeypoints
from ttsr.retrieval.finding import FoundReferences, find_references
from ttsr.retrieval.photo_index import PhotoIndex, index_photos
from ttsr.retrieval.ranking import rank_photos

Pixels = NDArray[np.uint8]
BOX = np.s_[80:240, 120:280]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler(device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, aloe: Pixels, aloe_ref: Pixels, leuven: Pixels) -> Path:
    """Photos of two subjects, and what is no reference: a small copy of the picture, and its results."""
    folder = tmp_path_factory.mktemp("album")
    lr = Image.fromarray(downscale4(aloe[BOX]))
    lr.save(folder / "picture.png")
    lr.save(folder / "copy of it.png")
    lr.resize((160, 160), Image.Resampling.BICUBIC).save(folder / "picture_x4.png")
    (folder / "results").mkdir()
    lr.resize((80, 80), Image.Resampling.BICUBIC).save(folder / "results" / "picture_x2.png")
    Image.fromarray(aloe_ref[40:280, 80:400]).save(folder / "view.png")
    Image.fromarray(np.ascontiguousarray(aloe_ref[40:280, 80:200])).save(folder / "a part.png")
    Image.fromarray(leuven[:240, :320]).save(folder / "street.png")
    Image.fromarray(np.full((90, 90, 3), 90, np.uint8)).save(folder / "flat.png")
    (folder / "broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def index(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoIndex:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTSR_CACHE", str(tmp_path_factory.mktemp("cache")))
        return index_photos(sorted(path for path in folder.rglob("*.*") if path.is_file()))


@pytest.fixture(scope="module")
def found(upscaler: Upscaler, folder: Path, index: PhotoIndex) -> FoundReferences:
    return find_references(upscaler, folder / "picture.png", index)


def names(found: FoundReferences) -> list[str]:
    return [one.path.name for one in found.chosen]


def test_the_photo_of_the_same_subject_comes_first(found: FoundReferences) -> None:
    assert names(found)[0] == "view.png"
    assert "street.png" not in names(found) and "flat.png" not in names(found)
    assert "keypoints agree, " in found.chosen[0].why
    scores = [one.score for one in found.chosen]
    assert scores == sorted(scores, reverse=True)


def test_the_picture_its_copies_and_its_results_are_not_chosen(found: FoundReferences) -> None:
    assert not any(name.startswith(("picture", "copy")) for name in names(found))
    assert found.judged == 5  # the copy is judged, and is too small


def test_what_cannot_be_read_is_told(found: FoundReferences, folder: Path) -> None:
    assert list(found.unreadable) == [folder / "broken.jpg"]
    assert "broken.jpg: not a picture" in found.unreadable[folder / "broken.jpg"]


def test_the_references_are_used_as_they_were_fitted(
    upscaler: Upscaler, found: FoundReferences, folder: Path, aloe: Pixels
) -> None:
    result = upscaler.upscale(folder / "picture.png", found.references)
    assert result.references == found.references
    without = upscaler.upscale(folder / "picture.png", ())
    truth = aloe[BOX].astype(float)
    error, error_without = (np.square(r.picture.rgb - truth).mean() for r in (result, without))
    assert error < 0.8 * error_without


def test_at_most_so_many_and_none_of_those_left_out(upscaler: Upscaler, folder: Path, index: PhotoIndex) -> None:
    one = find_references(upscaler, folder / "picture.png", index, max_refs=1)
    assert names(one) == ["view.png"]
    another = find_references(upscaler, folder / "picture.png", index, without=[folder / "view.png"])
    assert "view.png" not in names(another)
    with pytest.raises(UserError, match="0 references: take at least 1"):
        find_references(upscaler, folder / "picture.png", index, max_refs=0)


def test_none_where_no_photo_shows_the_same(upscaler: Upscaler, leuven: Pixels, tmp_path: Path, aloe: Pixels) -> None:
    Image.fromarray(aloe[:200, :300]).save(tmp_path / "aloe.png")
    picture = ttsr.Picture(downscale4(leuven[40:200, 40:240]))
    found = ttsr.find_references(upscaler, picture, tmp_path)
    assert (found.chosen, found.judged, found.references) == ((), 1, ())


def test_a_photo_that_is_gone_since_is_told(
    upscaler: Upscaler, folder: Path, index: PhotoIndex, tmp_path: Path
) -> None:
    shutil.copy(folder / "view.png", tmp_path / "gone.png")
    with_gone = index_photos([tmp_path / "gone.png"])
    (tmp_path / "gone.png").unlink()
    found = find_references(upscaler, folder / "picture.png", with_gone)
    assert not found.chosen and "there is no such file" in found.unreadable[tmp_path / "gone.png"]


def test_a_mirrored_photo_where_asked_for(folder: Path, tmp_path: Path, aloe: Pixels) -> None:
    Image.open(folder / "view.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    photos = index_photos([folder / "street.png", tmp_path / "mirrored.png"]).photos
    lr = PoseKeypoints(downscale4(aloe[BOX]), 4)
    ranked = rank_photos(lr, photos, mirrored=True)
    assert [one.photo.path.name for one in ranked] == ["mirrored.png", "street.png"]
    assert ranked[0].inliers >= 8 and ranked[1].inliers == 0
    assert max(one.inliers for one in rank_photos(lr, photos)) == 0


def test_a_photo_of_a_smaller_scale_counts_for_less(folder: Path, tmp_path: Path, aloe: Pixels) -> None:
    view = Image.open(folder / "view.png")
    view.resize((view.width // 2, view.height // 2), Image.Resampling.LANCZOS).save(tmp_path / "half.png")
    photos = index_photos([tmp_path / "half.png", folder / "view.png"]).photos
    whole, half = rank_photos(PoseKeypoints(downscale4(aloe[BOX]), 4), photos)
    assert (whole.photo.path.name, half.photo.path.name) == ("view.png", "half.png")
    assert half.scale == pytest.approx(0.5, rel=0.1) and half.weight < 0.8 * half.inliers
    assert whole.scale == pytest.approx(1, rel=0.15)


def test_a_folder_without_photos_is_an_error(upscaler: Upscaler, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no pictures"):
        find_references(upscaler, folder / "picture.png", tmp_path)


def test_networks_that_take_references_as_they_are(folder: Path, index: PhotoIndex, upscaler: Upscaler) -> None:
    plain = Upscaler(upscaler.model, device="cpu", precision="fp32", pose="off", match_colour="off")
    found = find_references(plain, folder / "picture.png", index, max_refs=1)
    assert names(found) == ["view.png"] and found.references[0].fit is None
