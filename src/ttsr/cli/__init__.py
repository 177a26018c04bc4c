"""The command `ttsr`. Commands are imported when called, so that `ttsr --help` does not wait for torch."""

import io
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from cyclopts import App, CycloptsError, UnknownCommandError

from ttsr import __version__
from ttsr.cli.printing import say, silence
from ttsr.errors import UserError

BAD_INPUT = 2
INTERRUPTED = 130

app = App(
    name="ttsr",
    help="Four times larger pictures, with the textures of another photo of the same thing.",
    version=f"ttsr {__version__}",
    suppress_keyboard_interrupt=False,
)
app.command("ttsr.cli.upscale:upscale", name="upscale", help="Upscale pictures four times.")
app.command("ttsr.cli.convert:convert", name="convert", help="Convert a checkpoint to another layout.")
app.command("ttsr.cli.evaluate:evaluate", name="evaluate", help="Score a model on a test set.")
app.command("ttsr.cli.train:train", name="train", help="Train a model by a recipe.")
app.command("ttsr.cli.recipes:recipes", name="recipes", help="List the recipes to train by.")
app.command("ttsr.cli.pairs:pairs", name="pairs", help="Make training pairs from photos that show the same things.")
app.command("ttsr.cli.pack:pack", name="pack", help="Pack a training set into one file.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for bad input (one line on stderr), 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, _leave)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except UnknownCommandError as error:  # its own text would import every command for their names
        return _complain(f"there is no command {' '.join(error.unused_tokens or [])!r}; see ttsr --help")
    except CycloptsError as error:
        return _complain(str(error))
    except UserError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    except BrokenPipeError:  # who read our output has left, as `ttsr ... | head -1` does
        silence(sys.stdout)
        return 0
    return code if isinstance(code, int) else 0


def _complain(message: str) -> int:
    say(" ".join(message.split()))
    return BAD_INPUT


def _leave(signal_number: int, frame: FrameType | None) -> None:
    """On a polite kill unwind as after an error, so that no temporary file stays behind."""
    raise SystemExit(128 + signal_number)
