"""The folder in which an unfinished film lies, so that an interrupted run goes on where it was stopped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import UserError
from ttsr.options import Precision
from ttsr.system.files import TEMPORARY, atomic_path
from ttsr.system.folder_lock import lock_folder
from ttsr.video.encoding import Encoding, encode_piece
from ttsr.video.frame_upscaler import Scene

PIECE_FRAMES = 24
"""Frames that are encoded together. Those that are not yet encoded lie in the folder without compression."""

_SETTINGS, _STATE = "settings.json", "state.npz"


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Attributes:
        done: how many frames are finished.
        scene: what the next frame begins with; None before the first.
        relevance: the sum of the mean relevance of all finished frames.
        fits: how often references were fitted.
    """

    done: int = 0
    scene: Scene | None = None
    relevance: float = 0.0
    fits: int = 0


class Unfinished:
    """The folder of one run; see `unfinished`.

    Attributes:
        folder: where it is.
        state: how far the run had come.
    """

    def __init__(self, folder: Path, encoding: Encoding) -> None:
        self.folder, self._encoding = folder, encoding
        self.state = _read_state(folder)
        self._encode_what_is_whole()

    def add(self, rgb: NDArray[Any], state: State) -> None:
        """Keep the frame number `state.done - 1`, and with it how the next one begins.

        Raises:
            UserError: it cannot be written.
        """
        try:
            with atomic_path(self._frame(state.done - 1)) as temporary, temporary.open("wb") as file:
                np.save(file, rgb, allow_pickle=False)
            scene: dict[str, Any] = {} if state.scene is None else vars(state.scene)
            with atomic_path(self.folder / _STATE) as temporary, temporary.open("wb") as file:
                np.savez(file, done=state.done, relevance=state.relevance, fits=state.fits, **scene)
            self.state = state
            self._encode_what_is_whole()
        except OSError as error:
            what = f"{self.folder}: cannot be written ({error.strerror or error})"
            raise UserError(what, "free some space; the frames before are kept") from None

    def pieces(self) -> Sequence[Path]:
        """Encode the frames that are left, and name the files of all pieces, in order."""
        whole, rest = divmod(self.state.done, PIECE_FRAMES)
        if rest:
            self._encode(whole, rest)
        return [self._piece(number) for number in range(whole + bool(rest))]

    def _encode_what_is_whole(self) -> None:
        whole = self.state.done // PIECE_FRAMES
        if whole and not self._piece(whole - 1).exists():
            self._encode(whole - 1, PIECE_FRAMES)
        for path in self.folder.glob("frame_*.npy"):
            if not whole * PIECE_FRAMES <= int(path.stem[6:]) < self.state.done:
                path.unlink(missing_ok=True)

    def _encode(self, number: int, count: int) -> None:
        first = number * PIECE_FRAMES
        frames = (np.load(self._frame(n), allow_pickle=False) for n in range(first, first + count))
        encode_piece(frames, self._piece(number), self._encoding)

    def _piece(self, number: int) -> Path:
        return self.folder / f"piece_{number:05}.mp4"

    def _frame(self, number: int) -> Path:
        return self.folder / f"frame_{number:07}.npy"


def unfinished_folder(target: Path) -> Path:
    """Where the run that makes `target` keeps what it has."""
    return target.with_name(f"{target.name}.unfinished")


def finished_frames(target: Path) -> int:
    """How many frames of `target` an interrupted run has made; 0 where there is none."""
    return _read_state(unfinished_folder(target)).done


def precision_of_interrupted(target: Path) -> Precision | None:
    """What an interrupted run that makes `target` computed in; None where there is none."""
    folder = unfinished_folder(target)
    known = _known_settings(folder) if finished_frames(target) else None
    try:
        return None if known is None else known["frames"]["precision"]
    except (KeyError, TypeError):
        return None


@contextmanager
def unfinished(target: Path, settings: Mapping[str, Any], encoding: Encoding) -> Iterator[Unfinished]:
    """Begin a run that makes `target`, or go on with one that was interrupted.

    The folder goes when the block ends without an error, and stays when it does not and holds a frame.

    Args:
        target: the film to be written.
        settings: all that the frames depend on, as JSON can hold it.
        encoding: how they are encoded.

    Raises:
        UserError: another process makes it now, or the interrupted run had other settings.
        OSError: the folder cannot be made or written to.
    """
    folder = unfinished_folder(target)
    described = {"frames": dict(settings), "encoding": encoding.described()}
    with lock_folder(folder):
        known = _known_settings(folder)
        if known is not None and known != described and (folder / _STATE).exists():
            what = f"{folder}: holds an interrupted run with another film, other references or other settings"
            raise UserError(what, "give those again to go on with it, or delete that folder to begin anew")
        with atomic_path(folder / _SETTINGS) as temporary:
            temporary.write_text(json.dumps(described, indent=1), "utf-8")
        try:
            yield Unfinished(folder, encoding)
        except BaseException:
            if not (folder / _STATE).exists():
                _clear(folder)
            raise
        _clear(folder)


def _read_state(folder: Path) -> State:
    try:
        with np.load(folder / _STATE, allow_pickle=False) as stored:
            scene = Scene(stored["fitted_to"], int(stored["fitted_at"]), stored["motion"], stored["index"])
            return State(int(stored["done"]), scene, float(stored["relevance"]), int(stored["fits"]))
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, KeyError, BadZipFile):
        raise UserError(f"{folder}: what an interrupted run has left is damaged", "delete that folder") from None


def _known_settings(folder: Path) -> Any:
    try:
        return json.loads((folder / _SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _clear(folder: Path) -> None:
    """Remove what is ours; the lock, and the folder if nothing else is in it, go with the lock."""
    for pattern in ("frame_*.npy", "piece_*.mp4", _STATE, _SETTINGS, f"{TEMPORARY}*"):
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()
