"""Work shared among threads of our own, of which each computes with a single one of PyTorch's.

PyTorch divides every single operation among its threads and waits for the slowest of them. Where another process keeps
a core busy, hundreds of short operations wait hundreds of times. Here a thread takes the next part whenever it is
ready, and nobody waits before the end.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Barrier, Lock
from typing import TypeVar

import torch

from ttsr.errors import UserError
from ttsr.progress import Progress

Part = TypeVar("Part")


def use_threads(count: int) -> None:
    """Compute with so many threads of the CPU from here on, in this thread and in threads that begin later.

    Raises:
        UserError: it is not positive.
    """
    if count < 1:
        raise UserError(f"cannot compute with {count} threads", "take at least 1")
    torch.set_num_threads(count)


def in_threads(
    work: Callable[[Part, Progress], object],
    parts: Sequence[Part],
    device: torch.device,
    progress: Progress | None = None,
) -> None:
    """Call `work` for each part, on a CPU in as many threads as PyTorch has in this one; elsewhere in turn.

    On a CPU each part is computed by a single thread, however many there are: its sums are then always rounded alike.

    Args:
        work: takes a part, and a progress to update with the fraction of it that is done. Its calls may run at the same
            time, under the grad mode and autocast of this thread.
        parts: best several for each thread, as they may get on at different speeds.
        device: where the work computes.
        progress: of the whole, as all parts weigh the same.

    Raises:
        Cancelled: through `progress`.
    """
    progress, threads = progress or Progress(), torch.get_num_threads()
    count = min(threads, len(parts)) if device.type == "cpu" else 1
    if count <= 1:
        with _single_thread() if device.type == "cpu" and threads > 1 else nullcontext():
            for number, part in enumerate(parts):
                share = progress.part(number / len(parts), (number + 1) / len(parts))
                work(part, share)
                share.update(1)
        return
    done, lock, started = [0.0] * len(parts), Lock(), Barrier(count + 1)
    settings, stop = _settings(device), Progress()

    def begin() -> None:
        torch.get_num_threads()  # the first call in a thread sets the number that was last set in any
        torch.set_num_threads(1)
        started.wait()

    def run(number: int) -> None:
        def report(fraction: float, stage: str) -> None:
            stop.update(0)
            with lock:
                done[number] = fraction
                progress.update(sum(done) / len(parts), stage)

        with settings():
            part = Progress(report)
            work(parts[number], part)
            part.update(1)

    with ThreadPoolExecutor(count, initializer=begin) as pool:
        try:
            running = [pool.submit(run, number) for number in range(len(parts))]
            started.wait()
            torch.set_num_threads(threads)  # which threads that begin later would take over from the last that set it
            finished, _ = wait(running, return_when=FIRST_EXCEPTION)
            for error in (part.exception() for part in finished):
                if error is not None:
                    raise error
        except BaseException:  # Ctrl-C too
            stop.cancel()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _single_thread() -> Iterator[None]:
    """Within it, this thread computes with one of PyTorch's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _settings(device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """The modes of PyTorch that belong to a thread, as this one has them, for others."""
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    cast, dtype = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)

    @contextmanager
    def settings() -> Iterator[None]:
        with ExitStack() as modes:
            modes.enter_context(torch.inference_mode(inference))
            modes.enter_context(torch.set_grad_enabled(gradients))
            modes.enter_context(torch.autocast(device.type, dtype, enabled=cast))
            yield

    return settings
