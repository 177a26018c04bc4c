"""A service that runs: its folder, processes, pictures and jobs."""

import asyncio
import os
import secrets
import shutil
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ttsr.errors import UserError
from ttsr.inference.texture_origins import TextureOrigin
from ttsr.service.job import Job
from ttsr.service.job_queue import JobQueue
from ttsr.service.job_request import MATCHES, RESULT, JobPlan, JobRequest, Size, StoredPicture
from ttsr.service.picture_store import PictureStore, TooLarge, received, shown_name
from ttsr.service.private_folder import private_folder
from ttsr.service.service_metrics import ServiceMetrics
from ttsr.service.settings import ServiceSettings
from ttsr.service.worker_calls import CONVERT, DRAW, DRAW_REFERENCE, DRAW_REFERENCE_COLOURS, INSPECT, ORIGIN, PLAN
from ttsr.service.worker_pool import WorkerPool
from ttsr.service.worker_process import ServiceFault

_SWEEP_S = 10.0
REMOVED = "there is no such job, or not any more"
_NO_PICTURES = "the pictures of the job are kept no longer: it was cancelled or removed, or it has failed"


class Refused(Exception):
    """A request that a limit forbids.

    Args:
        status: of HTTP.
        why: one line.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class RunningService:
    """What the routes work with. Made, started and stopped within one event loop."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings, self.metrics = settings, ServiceMetrics()
        self.pool = WorkerPool(settings)
        self.queue = JobQueue(settings, self.pool, self._ended)
        self._files = ExitStack()
        self._folder = self._files.enter_context(private_folder())
        self._incoming, self._jobs = self._folder / "incoming", self._folder / "jobs"
        pictures = self._folder / "pictures"
        for folder in (self._incoming, self._jobs, pictures):
            folder.mkdir()
        self.pictures = PictureStore(pictures, settings.stored_bytes, settings.keep_seconds)
        self._tasks: list[asyncio.Task[None]] = []
        self._drawing: dict[Path, asyncio.Task[Any]] = {}

    async def start(self) -> None:
        """Start the processes.

        Raises:
            UserError: a model or the device is not there.
        """
        try:
            await self.pool.start()
        except BaseException:
            await self.stop()
            raise
        self.queue.start()
        kept = (self.pool.keep(process) for process in (self.pool.assistant, self.pool.painter))
        self._tasks = [asyncio.create_task(task) for task in (self._sweep(), *kept)]

    async def stop(self) -> None:
        """End the processes, and remove all files."""
        for task in self._tasks:
            task.cancel()
        await self.queue.stop()
        await self.pool.stop()
        self._files.close()

    @property
    def is_ready(self) -> bool:
        """Whether a job that is sent now would be worked on."""
        return self.pool.assistant.is_ready and any(worker.is_ready for worker in self.pool.workers)

    async def receive(self, file: BinaryIO, filename: str | None, client: str) -> StoredPicture:
        """Keep an uploaded picture, once it is seen that it is one.

        Raises:
            Refused: it has too many bytes or pixels.
            UserError: it cannot be read.
        """
        name, limit = shown_name(filename), self.settings.upload_bytes
        try:
            uploaded = await asyncio.to_thread(_store, file, self._incoming, limit)
        except TooLarge:
            raise Refused(413, f"{name}: has more than {limit / 1e6:g} MB: send a smaller copy") from None
        except OSError:
            raise Refused(503, "the service has no room for more pictures: try again later") from None
        path, digest, num_bytes = uploaded
        try:
            known = self.pictures.get(digest, client)
            if known is not None:
                size, transparent = known.size, known.transparent
            else:
                most = max(self.settings.pixels, self.settings.reference_pixels)
                size, transparent = await self.pool.ask(INSPECT, path, name, most)
                check_pixels(name, size, most)
            return self.pictures.add(StoredPicture(path, digest, name, size, transparent, num_bytes), client)
        finally:
            path.unlink(missing_ok=True)

    async def plan(self, request: JobRequest) -> JobPlan:
        """Estimate what a job takes, and see that it may be done here.

        Raises:
            Refused: it has too many pixels or references, or would take too long.
            UserError: it does not fit into a worker's memory.
        """
        settings = self.settings
        check_pixels(request.lr.name, request.lr.size, settings.pixels)
        if len(request.references) > settings.references:
            what = f"{len(request.references)} references are more than the {settings.references} that are taken here"
            raise Refused(422, f"{what}: choose fewer")
        for reference in request.references:
            check_pixels(reference.name, reference.size, settings.reference_pixels)
        plan: JobPlan = await self.pool.ask(PLAN, request)
        if plan.seconds > settings.job_seconds:
            what = f"this would take about {plan.seconds:.0f} seconds, more than the {settings.job_seconds:g} of a job"
            raise Refused(422, f"{what}: send a smaller picture, or smaller or fewer references")
        return plan

    async def submit(self, request: JobRequest, client: str) -> Job:
        """Admit a job to the queue.

        Raises:
            QueueFull: there is no room for it.
            Refused: as `plan`.
            UserError: as `plan`.
        """
        self.queue.check_room(client)
        plan = await self.plan(request)
        folder = self._jobs / secrets.token_hex(8)
        try:
            folder.mkdir()
            # Linked, so that what is removed from the store stays here.
            linked = replace(
                request,
                lr=_linked(request.lr, folder),
                references=tuple(_linked(reference, folder) for reference in request.references),
            )
            job = Job(linked, plan, client, folder, self._new_id())
            self.queue.add(job)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise Refused(503, "the service has no room for these pictures: send them again later") from None
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return job

    def _new_id(self) -> str:
        secret = secrets.token_urlsafe(32)
        return f"{self.settings.instance}.{secret}" if self.settings.instance else secret

    async def picture(self, job: Job, what: str) -> Path | None:
        """A picture of a finished job as PNG; None where it was not asked for."""
        target = job.folder / f"{what}.png"
        if target.exists() or what in ("result", "without"):
            return target if target.exists() else None
        assert job.result is not None
        size: Size = job.result["width"], job.result["height"]
        return await self._drawn(job, target, DRAW, what, job.request.lr, job.folder / MATCHES, size, target)

    async def result(self, job: Job, suffix: str) -> Path:
        """The result of a finished job in the format of a suffix.

        Raises:
            UserError: the format cannot hold it.
        """
        target = job.folder / f"result{suffix}"
        return await self._drawn(job, target, CONVERT, job.folder / RESULT, target)

    async def reference(self, job: Job, number: int) -> Path | None:
        """A reference of a job as JPEG; None where it has no such."""
        if not 0 <= number < len(job.request.references):
            return None
        target = job.folder / f"reference_{number}.jpg"
        return await self._drawn(job, target, DRAW_REFERENCE, job.request.references[number], target)

    async def reference_colours(self, job: Job, number: int) -> Path | None:
        """A reference of a finished job in the colours of the provenance map, as JPEG; None where it has no such."""
        if not 0 <= number < len(job.request.references):
            return None
        target, stored = job.folder / f"reference_{number}_colours.jpg", job.request.references[number]
        return await self._drawn(job, target, DRAW_REFERENCE_COLOURS, stored, number, job.folder / MATCHES, target)

    async def origin(self, job: Job, x: int, y: int) -> TextureOrigin | None:
        """Where the texture of a pixel of a finished job's result came from.

        Raises:
            Refused: the pixel lies outside.
        """
        try:
            return await self._draw(job, ORIGIN, job.folder / MATCHES, x, y)
        except UserError as error:
            raise Refused(404, str(error)) from None

    async def _drawn(self, job: Job, target: Path, function: str, *arguments: object) -> Path:
        """A file, made where it is not there yet: once, however many ask for it at the same time."""
        if not target.exists():
            if target not in self._drawing:
                self._drawing[target] = asyncio.create_task(self._draw(job, function, *arguments))
                self._drawing[target].add_done_callback(lambda _: self._drawing.pop(target))
            await asyncio.shield(self._drawing[target])
        return target

    async def _draw(self, job: Job, function: str, *arguments: object) -> Any:
        try:
            return await self.pool.draw(function, *arguments)
        except UserError as error:
            raise UserError(str(error).replace(f"{job.folder}{os.sep}", "")) from None
        except ServiceFault:
            if job.folder.exists():
                raise
            raise Refused(404, _NO_PICTURES) from None

    def _ended(self, job: Job, seconds: float) -> None:
        self.metrics.job_ended(job.state, seconds, job.plan.seconds)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_S, self.settings.keep_seconds / 4))
            with suppress(OSError):
                self.pictures.expire()
                self.queue.expire()


def check_pixels(name: str, size: Size, limit: int) -> None:
    """See that a picture is small enough.

    Raises:
        Refused: it is not.
    """
    if size[0] * size[1] > limit:
        what = f"{name}: {size[0]}x{size[1]} is more than the {limit / 1e6:g} megapixels that are taken here"
        raise Refused(413, f"{what}: send a smaller copy, or a part of it")


def _store(file: BinaryIO, folder: Path, most_bytes: int) -> tuple[Path, str, int]:
    with received(file, folder, most_bytes) as (path, digest, num_bytes):
        kept = path.with_suffix(".kept")
        path.rename(kept)
        return kept, digest, num_bytes


def _linked(picture: StoredPicture, folder: Path) -> StoredPicture:
    target = folder / picture.digest
    if not target.exists():
        os.link(picture.file, target)
    return replace(picture, file=target)
