"""Parts of work in threads: all of them done, in the caller's modes, and stopped together."""

import threading
from collections.abc import Iterator

import pytest
import torch

from ttsr.errors import UserError
from ttsr.progress import Cancelled, Progress
from ttsr.system.threads import in_threads, use_threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    use_threads(request.param)
    yield request.param
    use_threads(before)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_part_is_done_once(count: int) -> None:
    done = torch.zeros(count, dtype=torch.long)

    def work(part: int, _: Progress) -> None:
        done[part] += 1

    in_threads(work, range(count), CPU)
    assert done.tolist() == [1] * count


def test_each_computes_with_one_thread_and_the_caller_keeps_its_own(threads: int) -> None:
    seen: list[int] = []
    in_threads(lambda _, __: seen.append(torch.get_num_threads()), range(5), CPU)
    assert seen == [1] * 5
    assert torch.get_num_threads() == threads
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_the_modes_are_those_of_the_caller() -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    products: list[torch.Tensor] = []
    with torch.autocast("cpu", torch.bfloat16):
        in_threads(lambda _, __: products.append(weight @ weight), range(3), CPU)
    with torch.inference_mode():
        in_threads(lambda _, __: products.append(weight @ weight), range(3), CPU)
    in_threads(lambda _, __: products.append(weight @ weight), range(3), CPU)
    assert [p.dtype for p in products] == 3 * [torch.bfloat16] + 6 * [torch.float32]
    assert [p.is_inference() for p in products] == 3 * [False] + 3 * [True] + 3 * [False]
    assert [p.requires_grad for p in products] == 3 * [True] + 3 * [False] + 3 * [True]


def test_progress_rises_to_one() -> None:
    seen: list[float] = []

    def work(_: int, progress: Progress) -> None:
        for step in range(4):
            progress.update((step + 1) / 4)

    in_threads(work, range(5), CPU, Progress(lambda fraction, _: seen.append(fraction)))
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)
    assert {0.05, 0.5, 1.0} <= {round(fraction, 2) for fraction in seen}


def test_an_error_stops_all_and_is_raised() -> None:
    """The others would go on for ever."""

    def work(part: int, progress: Progress) -> None:
        if part == 0:
            raise KeyError(part)
        while True:
            progress.update(0.5)

    with pytest.raises(KeyError, match="0"):
        in_threads(work, range(6), CPU)


def test_cancel_stops_all() -> None:
    progress = Progress()

    def work(part: int, own: Progress) -> None:
        if part == 0:
            progress.cancel()
        while True:
            own.update(0.5)

    with pytest.raises(Cancelled):
        in_threads(work, range(6), CPU, progress)


def test_work_within_work_stays_in_its_thread() -> None:
    inner: set[tuple[int, int]] = set()

    def work(part: int, _: Progress) -> None:
        own = threading.get_ident()
        in_threads(lambda _, __: inner.add((own, threading.get_ident())), range(3), CPU)

    in_threads(work, range(4), CPU)
    assert all(outer == own for outer, own in inner) or torch.get_num_threads() == 1


def test_no_thread_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="cannot compute with 0 threads"):
        use_threads(0)
