"""The weights that have a name."""

from dataclasses import dataclass, replace
from pathlib import Path

from ttsr.weights.metadata import FORMAT, Metadata, Provenance
from ttsr.weights.reading import Checkpoint
from ttsr.weights.saving import read_metadata

_EMBEDDED = Path(__file__).parent / "files"
_OPENMMLAB = "https://download.openmmlab.com/mmediting/restorers/ttsr"


@dataclass(frozen=True)
class Embedded:
    """Weights that ship inside the package, with their provenance in the file."""

    file: Path

    @property
    def provenance(self) -> Provenance:
        """As the file states it."""
        return read_metadata(self.file).provenance


@dataclass(frozen=True)
class Published:
    """Weights that others publish, fetched on first use. The URL ends in the sha256's first digits."""

    url: str
    provenance: Provenance


Entry = Embedded | Published

_PUBLISHED = {
    "mmagic/ttsr-rec": Published(
        f"{_OPENMMLAB}/ttsr-rec_x4_c64b16_g1_200k_CUFED_20210525-b0dba584.pth",
        Provenance(
            source="MMagic (open-mmlab/mmagic)",
            recipe="ttsr-rec_x4c64b16_1xb9-200k_CUFED",
            scores={"CUFED5 reference 1 mmedit-rgb, as published": {"psnr": 25.2433, "ssim": 0.7491}},
            licence="Apache-2.0",
        ),
    ),
    "mmagic/ttsr-gan": Published(
        f"{_OPENMMLAB}/ttsr-gan_x4_c64b16_g1_500k_CUFED_20210626-2ab28ca0.pth",
        Provenance(
            source="MMagic (open-mmlab/mmagic)",
            recipe="ttsr-gan_x4c64b16_1xb9-500k_CUFED",
            scores={"CUFED5 reference 1 mmedit-rgb, as published": {"psnr": 24.6075, "ssim": 0.7234}},
            licence="Apache-2.0",
        ),
    ),
}


def catalog() -> dict[str, Entry]:
    """Name to weights: those that are in the package, then those that others publish."""
    embedded = {file.stem: Embedded(file) for file in sorted(_EMBEDDED.glob("*.safetensors"))}
    return embedded | _PUBLISHED


def provenance_of(name: str, checkpoint: Checkpoint, file: str) -> Provenance:
    """Where weights come from, as far as it is known: from the catalogue, or from what a file of ours states.

    Args:
        name: what was asked for, of the catalogue or not.
        checkpoint: what was read.
        file: the file's name.

    Raises:
        WeightsError: the file is ours and its metadata is damaged.
    """
    entry = catalog().get(name)
    if entry is not None:
        return entry.provenance
    if checkpoint.metadata.get("format") != FORMAT:
        return Provenance(source=file)
    known = Metadata.from_strings(checkpoint.metadata, file).provenance
    return known if known.source else replace(known, source=file)
