"""A worker process as the service sees it: it is called, cancelled, killed and started anew."""

import asyncio
import itertools
import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ttsr.errors import UserError
from ttsr.service.worker_calls import Call, Cancel, Done, Failed, Ready, Update, WorkerSettings
from ttsr.service.worker_main import work

_CONTEXT = multiprocessing.get_context("spawn")


class WorkerGone(Exception):
    """The process ended in the middle of a call."""


class CallCancelled(Exception):
    """The call was cancelled, and its process is ready for the next."""


class ServiceFault(Exception):
    """An error that is not the client's; its text is one line."""


@dataclass
class _Pending:
    future: asyncio.Future[Any]
    show: Callable[[float, str], None] | None


class WorkerProcess:
    """A process that does calls, one after the other. All methods belong to the event loop's thread.

    Args:
        settings: what it computes with; None for one that only draws.
        name: for its entry in the list of processes.
        lost: called when the process has ended.

    Attributes:
        most_bytes: of memory that the process has from its next start on (see `limit_memory`); None for no limit.
    """

    def __init__(self, settings: WorkerSettings | None, name: str, lost: Callable[[], None] = lambda: None) -> None:
        self.settings, self._name, self._tell_lost = settings, name, lost
        self._numbers = itertools.count()
        self._pending: dict[int, _Pending] = {}
        self._process: Any = None
        self._connection: Connection | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self.is_ready = False
        self.most_bytes: int | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> Ready:
        """Start the process, and wait until it has loaded its model.

        Raises:
            UserError: it cannot do its work, as where a model is missing.
            WorkerGone: it ended.
        """
        loop = asyncio.get_running_loop()
        try:
            ours, theirs = _CONTEXT.Pipe()
        except OSError:  # too many files are open
            raise WorkerGone from None
        given = theirs, self.settings, self.most_bytes
        process = _CONTEXT.Process(target=work, args=given, name=self._name, daemon=True)
        try:
            await asyncio.to_thread(process.start)
        except OSError:
            ours.close()
            raise WorkerGone from None
        finally:
            theirs.close()
        self._process, self._connection, self._ready = process, ours, loop.create_future()
        ready = self._ready
        threading.Thread(target=self._listen, args=(loop, ours), daemon=True).start()
        return await ready

    async def call(self, function: str, *arguments: Any, show: Callable[[float, str], None] | None = None) -> Any:
        """The result of a function (see `Call`), called in the process with its models, a progress, and the arguments.

        Raises:
            UserError: from the function.
            CallCancelled: through `cancel`.
            ServiceFault: the function failed in another way.
            WorkerGone: the process is not there, or ended.
        """
        if not self.is_ready or self._connection is None:
            raise WorkerGone
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._pending[number] = _Pending(future, show)
        try:
            self._connection.send(Call(number, function, arguments))
        except OSError:
            raise WorkerGone from None
        try:
            return await future
        finally:
            self._pending.pop(number, None)

    def cancel(self) -> None:
        """Ask it to stop all calls."""
        try:
            for number in self._pending:
                if self._connection is not None:
                    self._connection.send(Cancel(number))
        except OSError:
            pass

    async def kill(self) -> None:
        """End the process at once; its calls raise `WorkerGone`."""
        process = self._process
        if process is not None and process.pid is not None:
            process.kill()
            await asyncio.to_thread(process.join)
        self._lose()

    def _listen(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._receive, connection, connection.recv())
        except (EOFError, OSError):
            pass
        except RuntimeError:  # the loop is closed
            return
        finally:
            connection.close()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._lost, connection)

    def _receive(self, connection: Connection, message: Any) -> None:
        if connection is not self._connection or self._ready is None:
            return
        match message:
            case Ready():
                self.is_ready = True
                if not self._ready.done():
                    self._ready.set_result(message)
            case Failed(-1, error):
                if not self._ready.done():
                    self._ready.set_exception(UserError(error or ""))
            case Update(number, fraction, stage):
                pending = self._pending.get(number)
                if pending is not None and pending.show is not None:
                    pending.show(fraction, stage)
            case Done(number, result):
                self._answer(number, result, None)
            case Failed(number, None):
                self._answer(number, None, CallCancelled())
            case Failed(number, str(error), bad_input):
                self._answer(number, None, UserError(error) if bad_input else ServiceFault(error))

    def _answer(self, number: int, result: Any, error: Exception | None) -> None:
        pending = self._pending.get(number)
        if pending is None or pending.future.done():
            return
        if error is None:
            pending.future.set_result(result)
        else:
            pending.future.set_exception(error)

    def _lost(self, connection: Connection) -> None:
        if connection is self._connection:
            self._lose()

    def _lose(self) -> None:
        self.is_ready, self._connection = False, None
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerGone())
        for number in list(self._pending):
            self._answer(number, None, WorkerGone())
        self._tell_lost()
