"""One `Upscaler` in several threads at once gives what it gives one picture after another."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from ttsr.images.resize import upscale4
from ttsr.inference.references import Reference
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress

NUM_THREADS = 4


def noise(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(params=["published", "refining, with fitted references"])
def upscaler(request: pytest.FixtureRequest, tiny_model: TTSR) -> Upscaler:
    if request.param == "published":
        return Upscaler(tiny_model, device="cpu")
    config = TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), trunk_channels=4, bicubic_skip=True, refinement_radius=2)
    return Upscaler(TTSR(config), device="cpu", precision="fp32")


def contents(result: Upscaled) -> list[bytes]:
    return [array.tobytes() for array in (result.picture.rgb, result.relevance, result.confidence, result.index)]


def test_threads_do_not_mix_their_pictures_and_references(upscaler: Upscaler) -> None:
    pictures = [noise(12 + n, 20 - n, 3, seed=n) for n in range(NUM_THREADS)]
    sharp = [upscale4(picture) for picture in pictures]  # which shows the picture, so that fitting leaves it in
    references = [upscaler.encode_references(picture) for picture in sharp]
    shared = upscaler.encode_references(sharp[:2])
    jobs: list[tuple[np.ndarray, tuple[Reference, ...]]] = [
        *zip(pictures, references, strict=True),
        *((picture, shared) for picture in pictures),
        *((picture, ()) for picture in pictures),
    ]
    expected = [contents(upscaler.upscale(*job)) for job in jobs]
    assert len({content[0] for content in expected[:NUM_THREADS]}) == NUM_THREADS
    assert all(
        with_own != with_none
        for with_own, with_none in zip(expected[:NUM_THREADS], expected[-NUM_THREADS:], strict=True)
    )

    together = Barrier(NUM_THREADS)

    def upscale(job: tuple[np.ndarray, tuple[Reference, ...]]) -> list[bytes]:
        # Before each picture the threads wait for one another, so that every group of them is under way together.
        together.wait(60)
        return contents(upscaler.upscale(*job))

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        assert list(pool.map(upscale, jobs)) == expected


def test_a_new_upscaler_encodes_references_in_all_threads_alike(tiny_model: TTSR) -> None:
    """The same references, which no upscale has needed yet, from several threads; one of them is cancelled midway."""
    picture, ref = noise(10, 14, 3, seed=1), noise(32, 24, 3, seed=2)
    first = Upscaler(tiny_model, device="cpu", pose="off", match_colour="off")
    expected = contents(first.upscale(picture, first.encode_references(ref)))

    upscaler = Upscaler(tiny_model, device="cpu", pose="off", match_colour="off")
    pixels = [reference.pixels for reference in first.encode_references(ref)]
    together = Barrier(NUM_THREADS)

    def upscale(number: int) -> list[bytes] | str:
        progress = Progress()
        together.wait(60)
        if number == 0:
            progress.cancel()
        try:
            return contents(upscaler.upscale(picture, upscaler.encode_references(pixels), progress=progress))
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        cancelled, *done = pool.map(upscale, range(NUM_THREADS))
    assert cancelled == "Cancelled" and done == [expected] * (NUM_THREADS - 1)
