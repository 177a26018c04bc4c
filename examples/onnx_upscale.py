"""Upscale a picture with an exported model, by onnxruntime, NumPy and Pillow alone.

    ttsr export --out lite/
    python examples/onnx_upscale.py lite/ small.png large.png --ref sharp.jpg

What a reference gives is kept beside it (`sharp.jpg.npz`) for the next picture. Without --ref a model with a trunk
computes this alone, and others take the picture as its own reference. Poses and colours of references are not matched,
as by `ttsr upscale --search exact --pose off --match-colour off --precision fp32`, whose result this is.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

SCALE = 4
Arrays = dict[str, NDArray[Any]]
TEXTURES = ("texture1", "texture2", "texture4")
# LR pixels along a side that are matched, and worked on by the synthesis, at a time: what fits into memory.
MATCHED, SYNTHESISED = 64, 192


class Model:
    """The parts in a folder that `ttsr export` wrote; each is loaded when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = json.loads((folder / "model.json").read_text("utf-8"))
        self.sessions: dict[str, onnxruntime.InferenceSession] = {}

    def run(self, part: str, **values: NDArray[Any]) -> Arrays:
        """Compute a part; of the values those that it takes."""
        stated = self.facts["parts"][part]
        if part not in self.sessions:
            self.sessions[part] = onnxruntime.InferenceSession(self.folder / stated["file"])
        inputs = {name: values[name] for name in stated["inputs"]}
        outputs = self.sessions[part].run(list(stated["outputs"]), inputs)
        return {name: np.asarray(output) for name, output in zip(stated["outputs"], outputs, strict=True)}


def read(path: Path) -> Image.Image:
    """An upright RGB picture."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def resized(image: Image.Image, width: int, height: int) -> Image.Image:
    """By bicubic interpolation, as the weights were trained with."""
    return image.resize((width, height), Image.Resampling.BICUBIC)


def as_input(image: Image.Image) -> NDArray[np.float32]:
    """(1, 3, H, W) in [0, 1]."""
    return np.asarray(image, np.float32).transpose(2, 0, 1)[None] / np.float32(255)


def encoded_reference(model: Model, image: Image.Image) -> Arrays:
    """What is matched and transferred of a reference: keys and luma of its blurred copy, and its own textures."""
    width, height = (side // SCALE * SCALE for side in image.size)
    image = image.crop((0, 0, width, height))
    blurred = resized(resized(image, width // SCALE, height // SCALE), width, height)
    matched, own = model.run("extractor", image=as_input(blurred)), model.run("extractor", image=as_input(image))
    kept = {"keys": matched["features"], "ref_luma": matched.get("luma", np.zeros(0, np.float32))}
    return kept | {name: own[name] for name in TEXTURES}


def cached_reference(model: Model, path: Path) -> Arrays:
    """The same, kept beside the file for as long as neither this nor the model changes."""
    state = hashlib.sha256(path.read_bytes())
    state.update((model.folder / "model.json").read_bytes())
    cache = path.with_name(f"{path.name}.npz")
    if cache.exists():
        with np.load(cache) as held:
            if str(held["state"]) == state.hexdigest():
                return {name: held[name] for name in held.files if name != "state"}
    encoded = encoded_reference(model, read(path))
    np.savez(cache, allow_pickle=False, state=np.array(state.hexdigest()), **encoded)
    return encoded


def tiles(height: int, width: int, side: int, overlap: int) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
    """Of each tile the rows and columns that it sees, and of these the ones to keep."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            first_row, first_column = max(0, top - overlap), max(0, left - overlap)
            bottom, right = min(height, top + side), min(width, left + side)
            seen = slice(first_row, bottom + overlap), slice(first_column, right + overlap)
            kept = slice(top - first_row, bottom - first_row), slice(left - first_column, right - first_column)
            yield *seen, kept


def cut(array: NDArray[Any], rows: slice, columns: slice, times: int = 1) -> NDArray[Any]:
    """Rows and columns of the last two axes, of a grid so many times finer."""
    (top, bottom), (left, right) = (rows.start, rows.stop), (columns.start, columns.stop)
    return array[..., times * top : times * bottom, times * left : times * right]


def matches(model: Model, enlarged: Arrays, references: list[Arrays]) -> Arrays:
    """Of each LR pixel the best match among all references."""
    size = enlarged["features"].shape[2:]
    best: Arrays = {
        "relevance": np.full((1, 1, *size), -np.inf, np.float32),
        "zncc": np.zeros((1, 1, *size), np.float32),
    }
    best |= {"place": np.zeros((1, 2, *size), np.int32), "reference": np.zeros((1, 1, *size), np.int32)}
    for rows, columns, kept in tiles(size[0], size[1], MATCHED, model.facts["matching_overlap"]):
        queries = cut(enlarged["features"], rows, columns)
        luma = cut(enlarged["luma"], rows, columns, SCALE) if "luma" in enlarged else queries
        here = {name: cut(cut(array, rows, columns), *kept) for name, array in best.items()}
        for number, reference in enumerate(references):
            found = model.run("matching", queries=queries, lr_luma=luma, **reference)
            found["reference"] = np.full_like(found["place"][:, :1], number)
            better = cut(found["relevance"], *kept) > here["relevance"]
            for name, values in found.items():
                np.copyto(here[name], cut(values, *kept), where=better)
    return best | {"reference": best["reference"][:, 0]}


def upscaled(model: Model, image: Image.Image, references: list[Arrays]) -> NDArray[np.float32]:
    """The picture with the textures of references, (1, 3, 4 height, 4 width) in [0, 1]."""
    lr, lr_up = as_input(image), as_input(resized(image, SCALE * image.width, SCALE * image.height))
    part, picture, shared = "trunk", {"lr": lr}, {}
    if references:
        part = "synthesis"
        picture |= matches(model, model.run("extractor", image=lr_up), references)
        shared = {name: np.concatenate([reference[name] for reference in references]) for name in TEXTURES}
        shared["sizes"] = np.array([reference["keys"].shape[2:] for reference in references], np.int32)
    out = np.empty_like(lr_up)
    for rows, columns, kept in tiles(image.height, image.width, SYNTHESISED, model.facts["synthesis_overlap"]):
        here = {name: cut(array, rows, columns) for name, array in picture.items()}
        sr = model.run(part, lr_up=cut(lr_up, rows, columns, SCALE), **here, **shared)["sr"]
        cut(cut(out, rows, columns, SCALE), *kept, SCALE)[...] = cut(sr, *kept, SCALE)
    return out


def main() -> None:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="a folder that ttsr export wrote")
    parser.add_argument("lr", type=Path, help="the small picture")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--ref", type=Path, action="append", default=[], help="a sharp picture of the same subject")
    arguments = parser.parse_args()
    model, image = Model(arguments.model), read(arguments.lr)
    references = [cached_reference(model, path) for path in arguments.ref]
    if not references and "trunk" not in model.facts["parts"]:
        references = [encoded_reference(model, image)]
    pixels = np.rint(255 * upscaled(model, image, references)[0]).astype(np.uint8)
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(arguments.out)


if __name__ == "__main__":
    main()
