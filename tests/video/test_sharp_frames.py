"""Frames of the film itself as references."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ttsr.errors import UserError
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.picture import Picture
from ttsr.inference.references import ReferencePixels, ReferenceSource
from ttsr.inference.upscaler import Upscaler
from ttsr.video.film import open_film
from ttsr.video.sharp_frames import SharpFrame, find_sharp_frames, nearer_frames


def test_the_sharpest_of_every_so_many(
    write_film: Callable[..., Path], pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    sharp = {1, 3, 6, 7}
    frames = [
        picture if number in sharp else np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))
        for number, picture in enumerate(pictures)
    ]
    frames[7] = pictures[6] // 2  # less contrast
    film = open_film(write_film(tmp_path / "film.mp4", frames))
    found = find_sharp_frames(film, 3)
    assert [frame.number for frame in found] == [1, 3, 6]
    assert [frame.pixels.source.name for frame in found] == ["frame 1", "frame 3", "frame 6"]
    np.testing.assert_array_equal(found[1].pixels.rgb, next(film.frames(3)).rgb)
    assert len(find_sharp_frames(film, 100)) == 1
    with pytest.raises(UserError, match="a sharp frame out of every 1: is not possible"):
        find_sharp_frames(film, 1)


def test_frames_in_which_the_camera_is_nearer_show_more(leuven: NDArray[np.uint8]) -> None:
    scene = leuven[60:260, 100:400]
    height, width = scene.shape[:2]
    frames = []
    for zoom in (1, 1.05, 1.8, 2.2):
        box = (width / 2 * (1 - 1 / zoom), height / 2 * (1 - 1 / zoom))
        box = (*box, width - box[0], height - box[1])
        frames.append(np.asarray(Image.fromarray(scene).resize((75, 50), Image.Resampling.BICUBIC, box)))
    sharp = [
        SharpFrame(number, ReferencePixels(rgb, ReferenceSource(f"frame {number}", None, (75, 50))))
        for number, rgb in enumerate(frames)
    ]
    find = nearer_frames(sharp)
    nearer = find(0, frames[0])
    assert [reference.source.name for reference in nearer] == ["frame 3", "frame 2"]
    assert find(3, frames[3]) == ()
    upscaler = Upscaler(device="cpu", precision="fp32")
    middle = slice(height // 3, 2 * height // 3), slice(width // 3, 2 * width // 3)
    without, helped = (upscaler.upscale(Picture(frames[0]), r).picture.rgb[middle] for r in ((), nearer))
    assert PAPER_Y.psnr(scene[middle], helped) > PAPER_Y.psnr(scene[middle], without) + 0.5
