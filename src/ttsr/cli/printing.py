"""Lines for people, for as long as there is someone to read them."""

import os
import sys
from typing import TextIO

from ttsr.system.plain_text import plain


def tell(text: str) -> None:
    """Print a result to stdout, at once: one line, as `plain` makes it.

    Raises:
        OSError: stdout leads to a file on a full disk.
    """
    tell_lines(plain(text))


def tell_lines(text: str) -> None:
    """As `tell`, of a text of several lines that is printed as it is.

    Raises:
        OSError: stdout leads to a file on a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has left, as in `ttsr ... | head -1`; the work goes on
        silence(sys.stdout)


def say(text: str) -> None:
    """Print a note or an error to stderr, after the program's name: one line, as `plain` makes it."""
    try:
        print(f"ttsr: {plain(text)}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads it, or the disk behind it is full: there is no other place to say so
        silence(sys.stderr)


def open_closed_streams() -> None:
    """Open what this process was started without, lest a file of ours becomes what libraries print to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def silence(stream: TextIO | None) -> None:
    """Discard what `stream` still buffers and all that is written to it from now on."""
    if stream is None:  # the process was started without it
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
