"""A worker process, from its start to its end: it does one call after the other."""

import errno
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from ttsr.errors import UserError
from ttsr.progress import Cancelled, Progress
from ttsr.service.memory_limit import limit_memory
from ttsr.service.worker_calls import Call, Cancel, Done, Failed, Ready, Update, WorkerSettings

if TYPE_CHECKING:
    from ttsr.service.worker_models import WorkerModels

_UPDATE_S = 0.1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FAULT = "an error of the service, which its log describes"


def work(connection: Connection, settings: WorkerSettings | None, most_bytes: int | None) -> None:
    """Do calls from the connection until it is closed, in so much memory; the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if most_bytes is not None:
        limit_memory(most_bytes)
    _Worker(connection, settings).run()


class _Worker:
    def __init__(self, connection: Connection, settings: WorkerSettings | None) -> None:
        self._connection, self._settings = connection, settings
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._lock, self._progress = threading.Lock(), dict[int, Progress]()
        self._models: WorkerModels | None = None

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            ready = self._prepare(self._settings)
        except UserError as error:
            self._send(Failed(-1, str(error), True))
            return
        self._send(ready)
        while True:
            self._do(self._calls.get())

    def _prepare(self, settings: WorkerSettings | None) -> Ready:
        if settings is None:
            return Ready()
        from ttsr.service.worker_models import WorkerModels  # and PyTorch with it

        self._models = WorkerModels(settings)
        self._models.load_all()
        return Ready(*self._models.devices(), self._models.places, self._models.precisions())

    def _listen(self) -> None:
        """Take messages while the main thread computes, and leave with the service, however that ended."""
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, Cancel):
                    progress = self._progress.get(message.number)
                    if progress is not None:
                        progress.cancel()
                else:
                    self._progress[message.number] = Progress(self._reporter(message.number))
                    self._calls.put(message)
        except (EOFError, OSError):
            os._exit(0)

    def _do(self, call: Call) -> None:
        progress = self._progress[call.number]
        try:
            progress.update(0)
            with progress.watched():
                answer = Done(call.number, resolve_name(call.function)(self._models, progress, *call.arguments))
        except Cancelled:
            answer = Failed(call.number, None)
        except UserError as error:
            answer = Failed(call.number, str(error), True)
        except MemoryError:
            answer = Failed(call.number, "memory ran out: take a smaller picture, or smaller or fewer references", True)
        except Exception as error:
            if progress.is_cancelled:  # its files may be gone already
                answer = Failed(call.number, None)
            elif isinstance(error, OSError) and error.errno in _FULL:
                answer = Failed(call.number, "the service has no room for the result: try again later")
            elif isinstance(error, FileNotFoundError) and _folder_is_gone(error):  # the job was removed meanwhile
                answer = Failed(call.number, "the files of the job are not there any more")
            else:
                traceback.print_exc(file=sys.stderr)
                answer = Failed(call.number, _FAULT)
        del self._progress[call.number]
        self._send(answer)

    def _reporter(self, number: int) -> Callable[[float, str], None]:
        last = 0.0

        def show(fraction: float, stage: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _UPDATE_S:
                last = now
                self._send(Update(number, fraction, stage))

        return show

    def _send(self, message: object) -> None:
        with self._lock:
            try:
                self._connection.send(message)
            except OSError:  # the service is gone
                os._exit(0)


def _folder_is_gone(error: FileNotFoundError) -> bool:
    return error.filename is not None and not os.path.exists(os.path.dirname(os.fsdecode(error.filename)))
