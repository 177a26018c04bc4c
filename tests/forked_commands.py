"""A process that has imported PyTorch already, and forks for each command that it is told to run as `python` would.

It listens at the Unix socket whose path is its argument. A connection brings the standard streams of one command and
a line of JSON, with what stands after `python` in `arguments` (`-m MODULE ...` or `-c CODE ...`), its `environment`
and `folder`, and in `python` what it may start further processes with. Told are, a line each, the id of its process,
which is a session of its own, and in the end its exit code, as `subprocess` gives it.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

import accelerate.commands.launch
import numpy.ma
import torch
import torch._dynamo  # which PyTorch's optimizers import
import torch.distributed.run
import torch.utils.tensorboard
from PIL import Image
from skimage.feature import SIFT
from skimage.measure import ransac

import ttsr.cli.evaluate
import ttsr.cli.train
import ttsr.cli.upscale
import ttsr.evaluation.scoring
import ttsr.inference.upscaler
import ttsr.training.loop

PRELOADED = (SIFT, ransac, accelerate, numpy.ma, ttsr, torch)


def prepare(command: dict[str, Any], streams: list[int]) -> None:
    """Make of this process one that has just been started."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # What is known of the old streams, such as that they can be wound back, does not hold for these.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    sys.executable = command["python"]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def execute(arguments: list[str]) -> NoReturn:
    """What `python` does with its arguments, but for the second in which it takes itself apart at the end."""
    code = 0
    try:
        interpret(arguments)
    except SystemExit as left:
        code = left.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except Exception:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 120
    os._exit(code if isinstance(code, int) else 1)


def interpret(arguments: list[str]) -> None:
    while (option := arguments.pop(0)) == "-u":
        pass
    what, *arguments = arguments
    if option == "-c":
        sys.argv = ["-c", *arguments]
        exec(what, {"__name__": "__main__"})
    else:
        sys.argv = [what, *arguments]
        sys.modules.pop(what if what != "ttsr" else "ttsr.__main__", None)
        runpy.run_module(what, run_name="__main__", alter_sys=True)


def wait_for(child: int, connection: socket.socket) -> None:
    """Tell the caller about the process, who may not be there any more."""
    try:
        connection.sendall(f"{child}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{code}\n".encode())
    except BrokenPipeError:
        os.waitpid(child, 0)


torch.set_num_threads(1)
Image.init()
gc.collect()
gc.freeze()  # the commands share the memory of all that is imported
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that nobody needs to wait for those that wait for the commands
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(64)
print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    if os.fork():
        connection.close()
        continue
    listening.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 16)
    command = json.loads(text)
    child = os.fork()
    if child:
        for stream in streams:
            os.close(stream)
        wait_for(child, connection)
        os._exit(0)
    connection.close()
    prepare(command, streams)
    execute(command["arguments"])
