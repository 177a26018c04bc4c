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
from ttsr.cli.examples import examples
from ttsr.cli.printing import open_closed_streams, say, silence
from ttsr.cli.stop_signals import StopSignals
from ttsr.errors import UserError
from ttsr.system.files import remove_unfinished

BAD_INPUT = 2
_SIGNALLED = 128  # and the number of the signal
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPTIONAL_VALUES = {"--resume": ("auto", "must")}  # options that may stand without a value: it is then the first
_LOST = "the current folder does not exist any more: change to another folder"
_MIN_COLUMNS = 40  # with 2, cyclopts wraps the help without end


def _shown(default: object) -> str | None:
    """A default as it would be typed; None where there is nothing to type."""
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or None
    return None if default is None or default is False else str(default)


app = App(
    name="ttsr",
    help="Four times larger pictures, with the textures of another photo of the same thing.",
    version=f"ttsr {__version__}",
    help_epilogue=examples("ttsr"),
    # No --no-FLAG and --empty-LIST.
    default_parameter=Parameter(negative=(), show_default=_shown),
    suppress_keyboard_interrupt=False,
)
# The first line stands in `ttsr --help` too.
_COMMANDS = {
    "upscale": """Upscale pictures.

        Four times by default, with the textures of one or more reference pictures, which show the same thing sharply.
        """,
    "compare": """Compare a picture with and without references, on a page.

        The page is one HTML file that loads nothing: bicubic, the result without a reference and with, and the ground
        truth where there is one, with a slider between any two; and where in the references each place came from.
        """,
    "evaluate": """Score models on a test set.

        Bicubic is the baseline. Under torchrun or accelerate launch the processes share the pictures; the scores are
        those of a single process.
        """,
    "web": """Upscale pictures on a page in the browser.

        A server on this machine, which runs until Ctrl-C, does the work: pictures go nowhere else. Drop a picture and
        references, see what it will take, compare the result, and see where each place came from.
        """,
    "serve": """Upscale pictures over HTTP.

        Clients upload pictures and follow their jobs; openapi.json describes how. The service listens at this machine's
        own address unless told otherwise.
        """,
    "train": "Train a model by a recipe.",
    "recipes": "List the recipes to train by, or show one.",
    "pairs": """Make training pairs from photos that show the same things.

        Photos are matched by SIFT keypoints, every photo against every other. Crops of one become inputs, and crops of
        the other that overlap them their references, in CUFED's layout.
        """,
    "pack": """Pack a training set into one file.

        This helps with slow disks, and with machines where many small files hurt. The file is a ZIP without
        compression: `ttsr train --data` takes it in place of the folder, and any tool opens it. Every picture is
        checked; unreadable ones are named and left out.
        """,
    "convert": """Convert a checkpoint to another layout.

        Provenance (source, recipe, scores, licence) is copied from the source where it is known.
        """,
    "export": """Write a model for other programs.

        In parts, so that what a reference gives can be kept: extractor, matching, synthesis, and the trunk alone for
        pictures without a reference. They take pictures of any size, and each is compared with the model. Poses,
        colours and the fast search are not part of them.
        """,
    "info": """Show versions, devices, models and what is missing.

        Nothing is downloaded. The output belongs into a report of a bug.
        """,
    "completion": """Print a script for completion in a shell.

        It completes commands, options, their values and files. Nothing is installed: save the script where the shell
        looks for such, and print it anew after an update of ttsr.
        """,
}
for _name, _help in _COMMANDS.items():
    # `train` is an App of its own, whose epilogue has the fields of recipes too.
    _epilogue = {} if _name == "train" else {"help_epilogue": examples(_name)}
    app.command(f"ttsr.cli.{_name}:{_name if _epilogue else 'command'}", name=_name, help=_help, **_epilogue)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line; by default this process's own.

    Returns:
        The exit code: 0, 2 for bad input (one line on stderr), 130 after Ctrl-C, 143 after SIGTERM; commands may add
        their own.
    """
    stop = StopSignals()
    try:
        with stop:
            try:
                return _run(sys.argv[1:] if arguments is None else arguments)
            finally:
                remove_unfinished()
    except BaseException as error:  # whatever was made of the interruption on its way
        if stop.number is None and not isinstance(error, KeyboardInterrupt):
            raise
        say("stopped")
        return _SIGNALLED + (stop.number or signal.SIGINT)


def _run(arguments: Sequence[str]) -> int:
    """The exit code of a command that is not stopped."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    if _is_lost():  # relative paths and PyTorch's libraries would fail in many ways
        return _complain(_LOST)
    console = Console()
    console.width = max(console.width, _MIN_COLUMNS)
    try:
        code = app(
            _with_values(arguments),
            console=console,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        if sys.stdout is not None:
            sys.stdout.flush()
    except UnknownCommandError as error:  # its own text would import every command for their names
        return _complain(f"there is no command {' '.join(error.unused_tokens or [])!r}; see ttsr --help")
    except CycloptsError as error:
        return _complain(" ".join(str(error).split()))
    except UserError as error:
        return _complain(str(error))
    except BrokenPipeError:  # the reader has left, as in `ttsr ... | head -1`
        silence(sys.stdout)
        return 0
    except OSError as error:  # where a file was expected to fail it is a UserError
        if error.errno in _FULL_DISK:
            silence(sys.stdout)
            return _complain(f"the output cannot be written ({error.strerror}): free some space, or write elsewhere")
        if _is_lost():
            return _complain(_LOST)
        if error.errno is None or not isinstance(error.filename, str | bytes):
            raise
        return _complain(f"{os.fsdecode(error.filename)}: cannot be read or written ({error.strerror})")
    return code if isinstance(code, int) else 0


def _with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the value written out of each option that stands without one."""
    complete: list[str] = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        complete.append(word)
        if word in _OPTIONAL_VALUES and following not in _OPTIONAL_VALUES[word]:
            complete.append(_OPTIONAL_VALUES[word][0])
    return complete


def _is_lost() -> bool:
    """Whether the current folder is gone."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _complain(message: str) -> int:
    say(message.replace("\n", " "))
    return BAD_INPUT
