"""The command `ttsr`. Commands are imported when called, so that `ttsr --help` does not wait for torch."""

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError
from rich.console import Console

from ttsr import __version__
from ttsr.cli.printing import say, silence
from ttsr.errors import UserError

BAD_INPUT = 2
INTERRUPTED = 130
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_OPTIONAL_VALUES = {"--resume": ("auto", "must")}  # options that may stand without a value: it is then the first
_MIN_COLUMNS = 40  # with 2, cyclopts wraps the help without end

app = App(
    name="ttsr",
    help="Four times larger pictures, with the textures of another photo of the same thing.",
    version=f"ttsr {__version__}",
    default_parameter=Parameter(negative=()),  # no --no-FLAG and --empty-LIST
    suppress_keyboard_interrupt=False,
)
app.command("ttsr.cli.upscale:upscale", name="upscale", help="Upscale pictures.")
app.command("ttsr.cli.convert:convert", name="convert", help="Convert a checkpoint to another layout.")
app.command("ttsr.cli.evaluate:evaluate", name="evaluate", help="Score a model on a test set.")
app.command("ttsr.cli.train:command", name="train", help="Train a model by a recipe.")
app.command("ttsr.cli.recipes:recipes", name="recipes", help="List the recipes to train by, or show one.")
app.command("ttsr.cli.pairs:pairs", name="pairs", help="Make training pairs from photos that show the same things.")
app.command("ttsr.cli.pack:pack", name="pack", help="Pack a training set into one file.")
app.command("ttsr.cli.info:info", name="info", help="Show versions, devices, models and what is missing.")
app.command("ttsr.cli.completion:completion", name="completion", help="Print a script for completion in a shell.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line; by default this process's own.

    Returns:
        The exit code: 0, 2 for bad input (one line on stderr), 130 after Ctrl-C; commands may add their own.
    """
    # On SIGTERM unwind as after an error, so that no temporary file stays behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    try:
        os.getcwd()
    except OSError:  # relative paths and PyTorch's libraries would fail in many ways
        return _complain("the current folder does not exist any more: change to another folder")
    console = Console()
    console.width = max(console.width, _MIN_COLUMNS)
    try:
        code = app(
            _with_values(sys.argv[1:] if arguments is None else arguments),
            console=console,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        if sys.stdout is not None:
            sys.stdout.flush()
    except UnknownCommandError as error:  # its own text would import every command for their names
        return _complain(f"there is no command {' '.join(error.unused_tokens or [])!r}; see ttsr --help")
    except (CycloptsError, UserError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has left, as in `ttsr ... | head -1`
        silence(sys.stdout)
        return 0
    except OSError as error:  # errors of named files are UserErrors
        if error.errno not in _FULL_DISK:
            raise
        silence(sys.stdout)
        return _complain(f"the output cannot be written ({error.strerror}): free some space, or write elsewhere")
    return code if isinstance(code, int) else 0


def _with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the value written out of each option that stands without one."""
    complete: list[str] = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        complete.append(word)
        if word in _OPTIONAL_VALUES and following not in _OPTIONAL_VALUES[word]:
            complete.append(_OPTIONAL_VALUES[word][0])
    return complete


def _complain(message: str) -> int:
    say(" ".join(message.split()))
    return BAD_INPUT
