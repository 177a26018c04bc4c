"""The SR pictures of an evaluation as files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.errors import ImageError
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.system.files import atomic_path, refuse_leaving

_WEIGHTS_SUFFIX = re.compile(r"\.(safetensors|pth|pt)$")
_UNSAFE = re.compile(r"[^\w.+-]+")


class SavedPictures:
    """SR pictures as PNG: `FOLDER/NNN.png`, with a folder for each model, and each choice of references, if several.

    Args:
        folder: made if it is missing, with those above it.
        models: their names in the report.
        references: the choices of references.
    """

    def __init__(self, folder: Path, models: Sequence[str], references: Sequence[ReferenceChoice]) -> None:
        self._folder = folder
        below = dict(zip(models, _folder_names(models), strict=True)) if len(models) > 1 else {models[0]: ""}
        self._folders = {
            (model, reference): folder / below[model] / (reference if len(references) > 1 else "")
            for model in models
            for reference in references
        }

    def files(self, groups: Sequence[Group]) -> Iterator[Path]:
        """All files that will be written for a test set."""
        return (folder / f"{group.name}.png" for folder in self._folders.values() for group in groups)

    def make_folders(self) -> None:
        """Make the folders.

        Raises:
            ImageError: one of them cannot be made, or is a file.
            UserError: a link leads out of the folder that was named.
        """
        for folder in self._folders.values():
            refuse_leaving(folder, self._folder)
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ImageError(f"{folder}: cannot be made ({error.strerror})", "name another folder") from None

    def write(self, model: str, score: PictureScore, images: ScoredImages) -> None:
        """Write the model's result of one picture, completely or not at all; a file of this name is replaced.

        Raises:
            ImageError: it cannot be written.
        """
        path = self._folders[model, score.reference] / f"{score.name}.png"
        try:
            with atomic_path(path) as temporary:
                Image.fromarray(np.ascontiguousarray(images.sr)).save(temporary, "PNG")
        except OSError as error:
            raise ImageError(f"{path}: cannot be written ({error.strerror or error})") from None


def _folder_names(models: Sequence[str]) -> list[str]:
    """A folder's name for each model: its own without suffix and separators, numbered where two would be the same."""
    names: list[str] = []
    for model in models:
        plain = _UNSAFE.sub("_", _WEIGHTS_SUFFIX.sub("", model)).strip("._") or "model"
        taken = {name.lower() for name in names}
        numbered = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(models) + 1))
        names.append(next(name for name in numbered if name.lower() not in taken))
    return names
