from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ttsr.images.resize import downscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.video.colour_tags import ColourTags, to_yuv

_BT709 = ColourTags(1, False, 1, 1)


@pytest.fixture(scope="session")
def upscaler() -> Upscaler:
    """Of the full structure, so small that it computes in hundredths of a second; random weights."""
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16)))
    return Upscaler(model, device="cpu", precision="fp32", search="coherent")


@pytest.fixture(scope="session")
def pictures(aloe: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Frames of 32x24 pixels: a window that moves over a photo."""
    return [downscale4(aloe[row : row + 96, 2 * row : 2 * row + 128]) for row in range(8)]


def _write_film(
    path: Path,
    frames: Sequence[NDArray[Any]],
    times: Sequence[int] | None = None,
    *,
    sound: str | None = None,
    colours: ColourTags = _BT709,
    pixel_format: str = "yuv420p",
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    title: str | None = None,
    tagged: bool = True,
) -> Path:
    """A film without loss of these frames at 25 a second, or at these times in units of 1/100 s."""
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.time_base = Fraction(1, 100)
        if tagged:
            context.colorspace, context.color_range = colours.matrix, 2 if colours.full_range else 1
            context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        if rotation:
            stream.set_display_rotation(rotation)
        if pixel_aspect:
            context.sample_aspect_ratio = pixel_aspect
        audio: Any = container.add_stream(sound, rate=8000, layout="mono") if sound else None
        for number, rgb in enumerate(frames):
            frame = to_yuv(rgb, colours, pixel_format)
            if not tagged:
                frame.colorspace, frame.color_range = 2, 0
            frame.pts, frame.time_base = 4 * number if times is None else times[number], Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            samples = np.sin(np.arange(320 * len(frames)) / 5) * 10000
            tone = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
            tone.sample_rate, tone.pts = 8000, 0
            container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path


def _sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of each packet of the first sound."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(Fraction((p.pts or 0) * (p.time_base or 0)), bytes(p)) for p in packets if p.size]


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    return _write_film


@pytest.fixture(scope="session")
def sound_of() -> Callable[[Path], list[tuple[Fraction, bytes]]]:
    return _sound_of
