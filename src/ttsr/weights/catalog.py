"""The catalogue: weights that can be loaded by name."""

from dataclasses import dataclass, replace
from pathlib import Path

from ttsr.weights.checkpoint_file import Checkpoint
from ttsr.weights.provenance import FORMAT, Metadata, Provenance
from ttsr.weights.saving import read_metadata

_BUNDLED = Path(__file__).parent / "files"


@dataclass(frozen=True)
class BundledWeights:
    """Weights that ship with the package."""

    file: Path

    @property
    def provenance(self) -> Provenance:
        """From the file's metadata."""
        return read_metadata(self.file).provenance


@dataclass(frozen=True)
class PublishedWeights:
    """Weights published elsewhere, downloaded on first use; the URL ends in the first digits of the sha256."""

    url: str
    provenance: Provenance


def _mmagic(file: str, recipe: str, psnr: float, ssim: float) -> PublishedWeights:
    scores = {"CUFED5 reference 1 mmedit-rgb, as published": {"psnr": psnr, "ssim": ssim}}
    provenance = Provenance("MMagic (open-mmlab/mmagic)", recipe, scores, licence="Apache-2.0")
    return PublishedWeights(f"https://download.openmmlab.com/mmediting/restorers/ttsr/{file}", provenance)


_PUBLISHED = {
    "mmagic/ttsr-rec": _mmagic(
        "ttsr-rec_x4_c64b16_g1_200k_CUFED_20210525-b0dba584.pth", "ttsr-rec_x4c64b16_1xb9-200k_CUFED", 25.2433, 0.7491
    ),
    "mmagic/ttsr-gan": _mmagic(
        "ttsr-gan_x4_c64b16_g1_500k_CUFED_20210626-2ab28ca0.pth", "ttsr-gan_x4c64b16_1xb9-500k_CUFED", 24.6075, 0.7234
    ),
}


def available_weights() -> dict[str, BundledWeights | PublishedWeights]:
    """The catalogue by name: weights that ship with the package, then those published elsewhere."""
    bundled = {file.stem: BundledWeights(file) for file in sorted(_BUNDLED.glob("*.safetensors"), key=lambda f: f.stem)}
    return bundled | _PUBLISHED


def provenance_of(name: str, checkpoint: Checkpoint, file: str) -> Provenance:
    """The provenance of weights, as the catalogue knows it by `name`, or else as their file states it.

    The source is the file's name if no other is known.

    Raises:
        WeightsError: the file's metadata is damaged.
    """
    entry = available_weights().get(name)
    if entry is not None:
        return entry.provenance
    if checkpoint.metadata.get("format") != FORMAT:
        return Provenance(source=file)
    known = Metadata.from_strings(checkpoint.metadata, file).provenance
    return known if known.source else replace(known, source=file)
