"""The same bytes, with any number of threads and any limit of memory: sums are always rounded alike."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.convolution import convolve
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.ttsr import TTSR
from ttsr.options import Precision
from ttsr.registration.keypoints import find_keypoints
from ttsr.registration.pose import PoseKeypoints, estimate_pose

THREADS = (1, 2, 3)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def of_each(work: Callable[[], Sequence[NDArray]]) -> list[bytes]:
    """What `work` makes with each number of threads."""
    found = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        found.append(b"".join(np.ascontiguousarray(array).tobytes() for array in work()))
    return found


def arrays(result: Upscaled) -> list[NDArray]:
    return [result.picture.rgb, result.relevance, result.confidence, result.index, result.matches]


@pytest.fixture(scope="module")
def own_model() -> TTSR:
    """With all that goes beyond the paper, so small that many threads do not wait long for each other."""
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(8, (1, 1, 1, 1), (8, 8, 16), bicubic_skip=True, refinement_radius=1, trunk_channels=8))
    for weight in model.transfer.parameters():  # an untrained match confidence has none
        torch.nn.init.normal_(weight)
    return model.eval()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("network", ["tiny_model", "own_model"])
def test_an_upscale_does_not_depend_on_the_threads(
    request: pytest.FixtureRequest, aloe: NDArray[np.uint8], network: str, precision: Precision
) -> None:
    upscaler = Upscaler(request.getfixturevalue(network), device="cpu", precision=precision, pose="off")
    picture = Picture(aloe[80:176:4, 100:244:4].copy())
    plan = upscaler.plan(picture, upscaler.encode_references([aloe]))

    def work() -> list[NDArray]:
        references = upscaler.encode_references([aloe[70:190, 90:250]])
        return arrays(upscaler.upscale(picture, references, plan=plan))

    assert len(set(of_each(work))) == 1


@pytest.mark.parametrize("network", ["tiny_model", "own_model"])
def test_nor_on_the_memory(request: pytest.FixtureRequest, aloe: NDArray[np.uint8], network: str) -> None:
    """Tiles of all sizes, and references that are kept or encoded level by level; 16 bits are said."""
    upscaler = Upscaler(
        request.getfixturevalue(network), device="cpu", precision="fp32", pose="off", match_colour="off"
    )
    picture, reference, found = Picture(aloe[:160:4, :240:4].copy()), aloe[:160, :240], set()
    torch.set_num_threads(1)
    plan = upscaler.plan(picture, upscaler.encode_references([reference]))
    # From all in one piece to more than a hundred tiles.
    for kilobytes, keep in ((2**20, True), (2**20, False), (4096, False), (2048, False), (512, False)):
        references = upscaler.encode_references([reference])
        if not keep:  # nothing is known of the copies
            references = [replace(reference, pixels=replace(reference.pixels)) for reference in references]
        chosen = replace(plan, block_bytes=kilobytes * 2**10, keep_references=keep)
        result = upscaler.upscale(picture, references, plan=chosen)
        assert not any("16 bits" in note for note in result.notes)
        found.add(b"".join(array.tobytes() for array in arrays(result)))
    assert len(found) == 1
    half = replace(plan, keep_references=False, half_features=True)
    assert any("16 bits" in note for note in upscaler.upscale(picture, references, plan=half).notes)


@pytest.mark.parametrize("channels", [(8, 3), (16, 3), (24, 8), (64, 64)])
@pytest.mark.parametrize("side", [1, 3])
@torch.inference_mode()
def test_a_convolution_of_a_part_is_a_part_of_the_convolution(channels: tuple[int, int], side: int) -> None:
    """Small images and single threads included, for which PyTorch itself takes other kernels."""
    torch.manual_seed(0)
    image = torch.randn(1, channels[0], 90, 70).contiguous(memory_format=torch.channels_last)
    weight, bias, pad = torch.randn(channels[1], channels[0], side, side), torch.randn(channels[1]), side // 2
    whole = convolve(image, weight, bias, padding=(pad, pad))
    torch.testing.assert_close(whole, torch.nn.functional.conv2d(image, weight, bias, 1, pad), atol=1e-4, rtol=1e-5)
    for threads in THREADS:
        torch.set_num_threads(threads)
        for rows, columns in ((2, 3), (7, 8), (30, 41), (90, 70)):
            part = convolve(image[:, :, :rows, :columns], weight, bias, padding=(pad, pad))
            rows, columns = (size if size == full else size - pad for size, full in ((rows, 90), (columns, 70)))
            assert torch.equal(part[:, :, :rows, :columns], whole[:, :, :rows, :columns])


@pytest.mark.parametrize("grid", [(70, 1), (70, 3), (50, 40), (4, 200)])
def test_the_exact_search_does_not_depend_on_the_threads(grid: tuple[int, int]) -> None:
    """Relevance to the bit, which decides between keys that are nearly alike."""
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(1, 16, *size, generator=generator).relu() for size in (grid, (30, 20)))
    assert len(set(of_each(lambda: [tensor.numpy() for tensor in EXACT(queries, [keys])]))) == 1


def test_keypoints_and_poses_are_the_same_again(aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8]) -> None:
    part, small = aloe_ref[40:280, 80:400], downscale4(aloe[80:240, 120:280])
    first, second = find_keypoints(part), find_keypoints(part)
    assert len(first) > 50 and first.records.tobytes() == second.records.tobytes()
    one, two = (estimate_pose(PoseKeypoints(small, 4), PoseKeypoints(part)) for _ in range(2))
    assert one is not None and two is not None and one.to_reference.tobytes() == two.to_reference.tobytes()
