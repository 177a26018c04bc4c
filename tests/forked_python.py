"""Stands for `python` where launchers start it: hands the command to `forked_commands.py`, and ends as that ends."""

import json
import os
import signal
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ["FORKED_COMMANDS"])
command = {"arguments": sys.argv[1:], "environment": {**os.environ}, "folder": os.getcwd()}
command["python"] = os.environ["FORKED_PYTHON"]
socket.send_fds(connection, [json.dumps(command).encode() + b"\n"], [0, 1, 2])
answers = connection.makefile()
process = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(process, number))
code = int(answers.readline())
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
