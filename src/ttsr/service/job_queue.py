"""The queue: which job is admitted, which is next, and what becomes of it."""

import asyncio
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from heapq import heapify, heapreplace
from pathlib import Path

from ttsr.errors import UserError
from ttsr.service.job import Job
from ttsr.service.settings import ServiceSettings
from ttsr.service.worker_calls import UPSCALE
from ttsr.service.worker_pool import WorkerPool
from ttsr.service.worker_process import CallCancelled, ServiceFault, WorkerGone, WorkerProcess

_MOST_JOBS = 2000
KILLED = "the process that worked on it ended, likely because memory ran out: take a smaller picture or reference"


class QueueFull(Exception):
    """No more jobs are taken now.

    Args:
        why: one line.
        retry_after: seconds after which it may be otherwise.
    """

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(why)
        self.retry_after = max(1, round(retry_after))


class JobQueue:
    """Jobs by id: those that wait, that run, and that have ended and are kept for a time.

    Args:
        settings: its limits.
        pool: whose workers do the jobs.
        ended: called with each job that has ended, and the seconds that it ran.
    """

    def __init__(self, settings: ServiceSettings, pool: WorkerPool, ended: Callable[[Job, float], None]) -> None:
        self.settings, self._pool, self._ended = settings, pool, ended
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._told: dict[str, float] = {}  # when clients for which there was no place may ask again

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that are being done."""
        return sum(job.state == "running" for job in self._jobs.values())

    @property
    def states(self) -> Counter[str]:
        """How many jobs there are in each state."""
        return Counter(job.state for job in self._jobs.values())

    def start(self) -> None:
        """Let the workers take jobs."""
        self._tasks = [asyncio.create_task(self._serve(worker)) for worker in self._pool.workers]

    async def stop(self) -> None:
        """Take no more jobs, and end those that there are."""
        for job in self._jobs.values():
            job.end("cancelled", error="the service was stopped")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def get(self, job_id: str) -> Job | None:
        """A job by its secret."""
        return self._jobs.get(job_id)

    def check_room(self, client: str) -> None:
        """See whether a job would be admitted now.

        Raises:
            QueueFull: it would not.
        """
        if self.waiting >= self.settings.queue:
            what = f"{self.waiting} jobs are waiting, and no more are taken: try again later"
            raise QueueFull(what, self._turn(client))
        own = sum(job.client == client and not job.has_ended for job in self._jobs.values())
        if own >= self.settings.jobs_per_client:
            what = f"{own} jobs of yours are waiting or running, and no more are taken: wait for one, or cancel it"
            _, ends = self._expected()
            raise QueueFull(what, min(end for job, end in ends.items() if job.client == client))

    def add(self, job: Job) -> None:
        """Admit a job.

        Raises:
            QueueFull: there is no room for it.
        """
        self.check_room(job.client)
        ended = self._ended_jobs()
        if ended and len(self._jobs) >= _MOST_JOBS:
            self.remove(_first_of_most(ended, Counter(job.client for job in ended)))
        self._jobs[job.id] = job
        self._waiting.append(job)
        self._renumber()

    def cancel(self, job: Job) -> None:
        """End a job, unless it has ended."""
        job.stop.set()
        if job in self._waiting:
            self._waiting.remove(job)
            self._renumber()
            job.end("cancelled")
            self._finish(job, 0.0)
        elif job.state == "running":
            job.end("cancelled")

    def remove(self, job: Job) -> None:
        """Forget a job, with its files; one that has not ended is cancelled."""
        self.cancel(job)
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def expire(self) -> None:
        """Remove jobs whose time is over, and where all take too many bytes, the oldest of the client with the most."""
        over = time.monotonic() - self.settings.keep_seconds
        for job in self._ended_jobs():
            if job.ended < over:
                self.remove(job)
        sizes = {job: folder_bytes(job.folder) for job in self._ended_jobs()}
        while sum(sizes.values()) > self.settings.result_bytes:
            taken = Counter[str]()
            for job, size in sizes.items():
                taken[job.client] += size
            job = _first_of_most(sizes, taken)
            del sizes[job]
            self.remove(job)

    def _ended_jobs(self) -> list[Job]:
        """Those that have ended, the first first."""
        return sorted((job for job in self._jobs.values() if job.has_ended), key=lambda job: job.ended)

    def _expected(self) -> tuple[list[float], dict[Job, float]]:
        """Seconds until each of the waiting jobs starts, and until each job ends, by their plans."""
        ends = {job: job.plan.seconds * (1 - job.fraction) for job in self._jobs.values() if job.state == "running"}
        free = [0.0] * (len(self._pool.workers) - len(ends)) + [*ends.values()]
        heapify(free)
        starts = []
        for job in self._waiting:
            starts.append(free[0])
            ends[job] = free[0] + job.plan.seconds
            heapreplace(free, ends[job])
        return starts, ends

    def _turn(self, client: str) -> float:
        """Seconds until there is a place in the queue for a client: those that were refused before come before."""
        now = time.monotonic()
        self._told = {other: until for other, until in self._told.items() if until > now and other != client}
        starts, _ = self._expected()
        seconds = starts[min(len(self._told), len(starts) - 1)]
        self._told[client] = now + max(1.0, seconds)
        return seconds

    def _renumber(self) -> None:
        for number, job in enumerate(self._waiting, 1):
            if job.position != number:
                job.change(position=number)
        self._pool.changes.tell()

    async def _next(self, worker: WorkerProcess) -> Job | None:
        """The next job; None where its worker has ended before there is one."""
        while worker.is_ready:
            if self._waiting:
                job = self._waiting.pop(0)
                self._renumber()
                job.change(state="running", position=0)
                return job
            await self._pool.changes.wait()
        return None

    async def _serve(self, worker: WorkerProcess) -> None:
        """Give a worker one job after the other."""
        first = True
        while True:
            if not worker.is_ready:
                self._pool.restarts += not first
                await self._pool.revive(worker)
            first = False
            job, start = await self._next(worker), time.monotonic()
            if job is None:
                continue
            await self._run(worker, job)  # not finished where the service stops: the folder of all jobs goes then
            self._finish(job, time.monotonic() - start)

    async def _run(self, worker: WorkerProcess, job: Job) -> None:
        def show(fraction: float, stage: str) -> None:
            if not job.has_ended:
                job.change(fraction=fraction, stage=stage)

        call = asyncio.ensure_future(worker.call(UPSCALE, job.request, job.folder, show=show))
        stop = asyncio.ensure_future(job.stop.wait())
        try:
            limit = self.settings.job_seconds
            await asyncio.wait({call, stop}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                job.end("failed", error=f"it took more than the {limit:g} seconds that a job may take")
                worker.cancel()
                await asyncio.wait({call}, timeout=self.settings.grace_seconds)
            if not call.done():
                await worker.kill()
            job.end("done", result=await call)
        except UserError as error:
            job.end("failed", error=_without_path(str(error), job.folder))
        except ServiceFault as error:
            job.end("failed", error=str(error))
        except CallCancelled:
            job.end("cancelled")
        except WorkerGone:
            job.end("failed", error=KILLED)
        except Exception:  # the next job is to find its worker all the same
            traceback.print_exc(file=sys.stderr)
            job.end("failed", error="an error of the service, which its log describes")
        finally:
            stop.cancel()
            call.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await call

    def _finish(self, job: Job, seconds: float) -> None:
        if job.state != "done":
            shutil.rmtree(job.folder, ignore_errors=True)
        self._ended(job, seconds)


def _first_of_most(jobs: Iterable[Job], taken: Counter[str]) -> Job:
    """The first job of the client that has taken most."""
    ((client, _),) = taken.most_common(1)
    return next(job for job in jobs if job.client == client)


def _without_path(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "").replace(str(folder), "")


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in a folder."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return 0
