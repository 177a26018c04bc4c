"""The processes of a service: workers, and two for short questions; each is replaced when it ends."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import psutil

from ttsr.errors import UserError
from ttsr.service.change import Change
from ttsr.service.settings import ServiceSettings, public_name
from ttsr.service.worker_calls import CALIBRATE, SHARE, WorkerSettings
from ttsr.service.worker_process import ServiceFault, WorkerGone, WorkerProcess
from ttsr.system.memory import cgroup_room

_SHARE = 0.8  # of free memory, for all workers together
_QUESTION_S = 60.0
_ATTEMPTS = 2  # where the process was killed: it may have been by accident, or by the question
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_TOO_MUCH = "this took too much time or memory: send a smaller picture"


class WorkerPool:
    """The processes, from `start` to `stop`.

    Raises:
        UserError: two models have the same name.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.models = {public_name(model): model for model in settings.models}
        if len(self.models) < len(set(settings.models)):
            raise UserError(f"models {', '.join(settings.models)}: two have the same name", "rename a file")
        first = WorkerSettings(self.models, settings.device, settings.threads or 1, None)
        self.changes = Change()
        self.assistant = WorkerProcess(first, "ttsr assistant", self.changes.tell)
        self.painter = WorkerProcess(None, "ttsr painter", self.changes.tell)
        self.workers = [WorkerProcess(first, "ttsr worker 0", self.changes.tell)]
        self.precisions: tuple[str, ...] = ()
        self.share_bytes = 0
        self.restarts = 0
        self._locks = {self.assistant: asyncio.Lock(), self.painter: asyncio.Lock()}

    async def start(self) -> None:
        """Start the assistant and a worker, which tell what devices there are; other workers are not started yet.

        Raises:
            UserError: a model or the device is not there.
        """
        settings, both = self._settings, (self.assistant, *self.workers)
        try:
            ready, _ = await asyncio.gather(*(process.start() for process in both))
        except WorkerGone:
            raise UserError("the service's processes end as soon as they start", "see what they print") from None
        devices = ready.devices if settings.device in ("auto", "cuda") else (settings.device,)
        count = settings.workers or len(devices)
        on_one = -(-count // len(devices)) if ready.device_bytes else count
        threads = settings.threads or max(1, (os.cpu_count() or 1) // count)
        room = ready.device_bytes or min([psutil.virtual_memory().available, *cgroup_room()])
        self.precisions = ready.precisions
        self.models, self.share_bytes = ready.models, (settings.max_memory or int(_SHARE * room)) // on_one
        most_bytes = None if ready.device_bytes else self.share_bytes
        base = WorkerSettings(self.models, devices[0], threads, self.share_bytes)
        for process in both:
            await process.call(SHARE, threads, self.share_bytes, most_bytes)
            process.settings = base  # for the one that replaces it
        await self.ask(CALIBRATE)
        self.workers += [
            WorkerProcess(
                replace(base, device=devices[number % len(devices)]), f"ttsr worker {number}", self.changes.tell
            )
            for number in range(1, count)
        ]
        for process in (self.assistant, self.painter, *self.workers):
            process.most_bytes = most_bytes

    async def keep(self, process: WorkerProcess) -> None:
        """Start the assistant or the painter whenever it is not there, before it is asked."""
        while True:
            if process.is_ready:
                await self.changes.wait()
                continue
            async with self._locks[process]:
                await self._replace(process)

    async def revive(self, worker: WorkerProcess) -> None:
        """Start a process if it is not there, again and again if need be."""
        pause = _FIRST_PAUSE_S
        while not worker.is_ready:
            try:
                await worker.start()
            except (UserError, WorkerGone):
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def ask(self, function: str, *arguments: Any) -> Any:
        """Call the assistant, which inspects pictures and plans, one question after the other.

        Raises:
            UserError: from the function.
            ServiceFault: it failed in another way, or took too long.
        """
        return await self._ask(self.assistant, function, arguments)

    async def draw(self, function: str, *arguments: Any) -> Any:
        """Likewise call the painter, which makes pictures of finished jobs: that may take seconds."""
        return await self._ask(self.painter, function, arguments)

    async def _ask(self, process: WorkerProcess, function: str, arguments: tuple[Any, ...]) -> Any:
        async with self._locks[process]:
            for _ in range(_ATTEMPTS):
                await self._replace(process)
                try:
                    return await asyncio.wait_for(process.call(function, *arguments), _QUESTION_S)
                except WorkerGone:
                    continue
                except TimeoutError:
                    break
            await process.kill()
            raise ServiceFault(_TOO_MUCH)

    async def _replace(self, process: WorkerProcess) -> None:
        if not process.is_ready:
            self.restarts += process.pid is not None
            await self.revive(process)

    async def stop(self) -> None:
        """End all processes."""
        await asyncio.gather(*(worker.kill() for worker in [self.assistant, self.painter, *self.workers]))
