"""Lines for people, for as long as there is someone to read them."""

import os
import sys
from typing import TextIO


def tell(text: str) -> None:
    """Print a result to stdout, at once."""
    _print(text, sys.stdout)


def say(text: str) -> None:
    """Print a remark or a complaint to stderr, headed with our name."""
    _print(f"ttsr: {text}", sys.stderr)


def silence(stream: TextIO) -> None:
    """Let all that `stream` holds back and is still given go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:  # who read it has left, as `ttsr ... | head -1` does; the work is wanted all the same
        silence(stream)
