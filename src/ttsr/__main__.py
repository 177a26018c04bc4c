"""The command `ttsr`, and `python -m ttsr`."""

import os
import signal
import sys
from collections import namedtuple
from typing import NoReturn


def run() -> NoReturn:
    """Run the command of this process and exit."""
    # While modules are imported, and when all is done: there is nothing to clean up, and no module that expects it.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: os._exit(128 + number))
    from ttsr.cli import main

    code = main()
    # Where a KeyboardInterrupt has left a string that was executed, as modules do when they are imported, `python -m`
    # ends by SIGINT although it was handled. Python forgets that with the next string, of which a namedtuple makes one.
    namedtuple("Forgotten", ())
    sys.exit(code)


if __name__ == "__main__":
    run()
