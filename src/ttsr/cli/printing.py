"""Lines for people, for as long as there is someone to read them."""

import os
import sys
from typing import TextIO


def tell(text: str) -> None:
    """Print a result to stdout, at once.

    Raises:
        OSError: stdout leads to a file on a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has left, as in `ttsr ... | head -1`; the work goes on
        silence(sys.stdout)


def say(text: str) -> None:
    """Print a note or an error to stderr, after the program's name."""
    try:
        print(f"ttsr: {text}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads it, or the disk behind it is full: there is no other place to say so
        silence(sys.stderr)


def silence(stream: TextIO | None) -> None:
    """Discard what `stream` still buffers and all that is written to it from now on."""
    if stream is None:  # the process was started without it
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
