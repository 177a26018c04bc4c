"""What a worker says of pictures and plans, in this process."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttsr import Upscaler, read_picture
from ttsr.errors import ImageError, UserError
from ttsr.inference.references import Reference, read_reference
from ttsr.inference.sizes import plan_to
from ttsr.progress import Progress
from ttsr.service.job_request import Choices, JobRequest, StoredPicture
from ttsr.service.picture_calls import inspect, plan
from ttsr.service.worker_calls import WorkerSettings
from ttsr.service.worker_models import WorkerModels, shipped_models

GIB = 2**30


@pytest.fixture
def models(tiny_weights: Path, one_thread: None) -> WorkerModels:
    return WorkerModels(WorkerSettings({"tiny": str(tiny_weights)}, "cpu", 1, 8 * GIB))


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_a_picture_is_seen_upright_and_with_its_transparency(models: WorkerModels, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = save(tmp_path / "turned.jpg", Image.new("RGB", (30, 20)), exif=exif)
    assert inspect(models, Progress(), turned, "turned.jpg", 1000) == ((20, 30), False)
    opaque, varying = Image.new("RGBA", (6, 5), (1, 2, 3, 255)), Image.new("RGBA", (6, 5))
    varying.putpixel((0, 0), (0, 0, 0, 255))
    assert inspect(models, Progress(), save(tmp_path / "o.png", opaque), "", 1000) == ((6, 5), False)
    assert inspect(models, Progress(), save(tmp_path / "v.png", varying), "", 1000) == ((6, 5), True)


def test_the_size_is_seen_before_pixels_are_decoded(models: WorkerModels, tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    # There are no pixels behind the header: to decode them is an error.
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5000, 3000, 8, 2, 0, 0, 0))
    file = tmp_path / "header.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    assert inspect(models, Progress(), file, "header.png", 10**6) == ((5000, 3000), False)
    with pytest.raises(ImageError, match=r"header\.png: damaged or cut off"):
        inspect(models, Progress(), file, "header.png", 10**9)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_plan_is_that_of_the_pictures_themselves(
    scale: int, transparent: bool, models: WorkerModels, tiny_weights: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    channels = 4 if transparent else 3
    lr = save(tmp_path / "lr.png", Image.fromarray(rng.integers(0, 256, (30, 40, channels), np.uint8)))
    sharp = save(tmp_path / "sharp.png", Image.fromarray(rng.integers(0, 256, (83, 90, 3), np.uint8)))
    request = JobRequest(
        StoredPicture(lr, "", "lr.png", (40, 30), transparent, 0),
        (StoredPicture(sharp, "", "sharp.png", (90, 83), False, 0),),
        Choices("tiny"),
        scale,
    )
    plan(models, Progress(), request)  # the first measures how fast stages are, which takes memory
    given = plan(models, Progress(), request)
    upscaler = Upscaler(tiny_weights, device="cpu", max_memory=8 * GIB)
    size = 40 * scale, 30 * scale
    expected = plan_to(upscaler, read_picture(lr), size, [Reference(read_reference(sharp))], free=8 * GIB)
    assert given.seconds == pytest.approx(expected.seconds, rel=1e-6)
    assert (given.result_width, given.result_height) == size
    # What the process holds in the meantime may differ a little.
    assert given.memory_bytes == pytest.approx(expected.memory_bytes, abs=50e6)
    with_both = plan(models, Progress(), replace(request, without=True))
    assert with_both.seconds > given.seconds


def test_what_does_not_fit_into_a_worker_is_refused(models: WorkerModels) -> None:
    lr = StoredPicture(Path(), "", "lr.png", (2000, 2000), False, 0)
    request = JobRequest(lr, (), Choices("tiny"))
    assert plan(models, Progress(), request).memory_bytes < 8 * GIB
    models.share(1, GIB)
    with pytest.raises(UserError, match=r"this needs at least .* GB of memory, more than the 1\.1 GB"):
        plan(models, Progress(), request)
    with pytest.raises(UserError, match="no such model"):
        plan(models, Progress(), replace(request, choices=Choices("other")))


def test_references_are_kept_while_there_is_room(
    models: WorkerModels, tmp_path: Path, png: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(name: str, seed: int) -> StoredPicture:
        file = tmp_path / str(seed)
        file.write_bytes(png(40, 40, seed))
        return StoredPicture(file, str(seed), name, (40, 40), False, 0)

    first = models.reference(stored("first.png", 1))
    again = models.reference(replace(stored("again.png", 1)))
    assert again.rgb is first.rgb and (first.source.name, again.source.name) == ("first.png", "again.png")
    monkeypatch.setattr("ttsr.service.worker_models._KEPT_BYTES", 2 * 40 * 40 * 3)
    for seed in (2, 3):
        models.reference(stored("other.png", seed))
    assert models.reference(stored("first.png", 1)).rgb is not first.rgb
    image = Image.open(io.BytesIO(png(40, 40, 1)))
    assert (models.reference(stored("first.png", 1)).rgb == np.asarray(image)).all()


def test_the_models_that_ship_are_offered_the_default_first() -> None:
    assert next(iter(shipped_models())) == "ttsr-lite" and "mmagic/ttsr-rec" not in shipped_models()
