"""The catalogue: weights that can be loaded by name."""

from dataclasses import dataclass, replace
from pathlib import Path

from ttsr.weights.checkpoint_file import Checkpoint
from ttsr.weights.provenance import FORMAT, Metadata, Provenance
from ttsr.weights.saving import read_metadata

_BUNDLED = Path(__file__).parent / "files"
_OPENMMLAB = "https://download.openmmlab.com/mmediting/restorers/ttsr"


@dataclass(frozen=True)
class BundledWeights:
    """Weights that ship with the package.

    Attributes:
        file: its metadata has the provenance.
    """

    file: Path

    @property
    def provenance(self) -> Provenance:
        """From the file's metadata."""
        return read_metadata(self.file).provenance


@dataclass(frozen=True)
class PublishedWeights:
    """Weights published elsewhere, downloaded on first use.

    Attributes:
        url: its file name ends in the first digits of the sha256.
        provenance: source, recipe, scores and licence.
    """

    url: str
    provenance: Provenance


Entry = BundledWeights | PublishedWeights

_PUBLISHED = {
    "mmagic/ttsr-rec": PublishedWeights(
        f"{_OPENMMLAB}/ttsr-rec_x4_c64b16_g1_200k_CUFED_20210525-b0dba584.pth",
        Provenance(
            source="MMagic (open-mmlab/mmagic)",
            recipe="ttsr-rec_x4c64b16_1xb9-200k_CUFED",
            scores={"CUFED5 reference 1 mmedit-rgb, as published": {"psnr": 25.2433, "ssim": 0.7491}},
            licence="Apache-2.0",
        ),
    ),
    "mmagic/ttsr-gan": PublishedWeights(
        f"{_OPENMMLAB}/ttsr-gan_x4_c64b16_g1_500k_CUFED_20210626-2ab28ca0.pth",
        Provenance(
            source="MMagic (open-mmlab/mmagic)",
            recipe="ttsr-gan_x4c64b16_1xb9-500k_CUFED",
            scores={"CUFED5 reference 1 mmedit-rgb, as published": {"psnr": 24.6075, "ssim": 0.7234}},
            licence="Apache-2.0",
        ),
    ),
}


def available_weights() -> dict[str, Entry]:
    """The catalogue by name: weights that ship with the package, then those published elsewhere."""
    bundled = {file.stem: BundledWeights(file) for file in sorted(_BUNDLED.glob("*.safetensors"))}
    return bundled | _PUBLISHED


def provenance_of(name: str, checkpoint: Checkpoint, file: str) -> Provenance:
    """The provenance of weights as far as it is known, from the catalogue or from the metadata of the file.

    Args:
        name: as given to `load`.
        checkpoint: the content of the file.
        file: the file's name, the source if no other is known.

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
