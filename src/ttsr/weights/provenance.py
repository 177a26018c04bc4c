"""The metadata of weight files: sizes of the network, and provenance."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig

FORMAT = "ttsr-1"


@dataclass(frozen=True)
class Provenance:
    """Where weights come from.

    Attributes:
        source: the file or name that they were converted from, or the training run.
        recipe: the training recipe, its name or its text.
        scores: test set, references and protocol to PSNR (dB) and SSIM, such as
            `{"CUFED5, reference 1, mmagic-rgb": {"psnr": 25.24}}`.
        licence: of the weights.
    """

    source: str = ""
    recipe: str = ""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a weight file: the sizes of the network, and where the weights come from."""

    config: TTSRConfig
    provenance: Provenance = field(default_factory=Provenance)

    def to_strings(self) -> dict[str, str]:
        """The metadata as safetensors stores it: text to text."""
        return {
            "format": FORMAT,
            "config": json.dumps(asdict(self.config)),
            "source": self.provenance.source,
            "recipe": self.provenance.recipe,
            "scores": json.dumps(self.provenance.scores),
            "licence": self.provenance.licence,
        }

    @staticmethod
    def from_strings(strings: Mapping[str, str], where: str) -> "Metadata":
        """Parse the metadata of a safetensors file; `where` names it in errors.

        Raises:
            WeightsError: it is not of this format, or damaged.
        """
        if strings.get("format") != FORMAT:
            raise WeightsError(f"{where}: not in the format of this version of ttsr ({FORMAT})")
        try:
            provenance = Provenance(
                source=strings.get("source", ""),
                recipe=strings.get("recipe", ""),
                scores=_scores(json.loads(strings.get("scores", "{}"))),
                licence=strings.get("licence", ""),
            )
            return Metadata(_config(json.loads(strings["config"])), provenance)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{where}: its metadata is damaged ({error})") from None


def _config(values: Any) -> TTSRConfig:
    channels, skip = values.pop("channels"), values.pop("bicubic_skip")
    radius = values.pop("refinement_radius", 0)  # optional
    blocks, widths = values.pop("num_blocks"), values.pop("extractor_channels")
    if values:
        raise ValueError(f"unknown sizes {', '.join(values)}")
    if not (isinstance(skip, bool) and len(blocks) == 4 and len(widths) == 3):
        raise ValueError("sizes of the wrong type")
    if not all(type(number) is int for number in (channels, *blocks, *widths, radius)):
        raise ValueError("sizes that are not integers")
    return TTSRConfig(channels, tuple(blocks), tuple(widths), skip, radius)


def _scores(values: Any) -> dict[str, dict[str, float]]:
    return {
        str(name): {str(metric): float(value) for metric, value in metrics.items()} for name, metrics in values.items()
    }
