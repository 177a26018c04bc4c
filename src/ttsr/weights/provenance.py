"""The metadata of weight files: sizes of the network, and provenance."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig

FORMAT = "ttsr-1"


@dataclass(frozen=True)
class Provenance:
    """Where weights come from.

    Attributes:
        source: the file or name that they were converted from, or the training run.
        recipe: the name or the text of the training recipe.
        scores: PSNR (dB) and SSIM, such as `{"CUFED5, reference 1, mmagic-rgb": {"psnr": 25.24}}`.
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
        provenance = asdict(self.provenance) | {"scores": json.dumps(self.provenance.scores)}
        sizes = asdict(self.config)
        if self.config.res_scale == 1:
            del sizes["res_scale"]  # so that earlier versions read the file
        return {"format": FORMAT, "config": json.dumps(sizes), **provenance}

    @staticmethod
    def from_strings(strings: Mapping[str, str], where: str) -> "Metadata":
        """Parse the metadata of a safetensors file; `where` names it in errors.

        Raises:
            WeightsError: it is not of this format, or damaged.
        """
        if strings.get("format") != FORMAT:
            raise WeightsError(f"{where}: not in the format of this version of ttsr ({FORMAT})")
        try:
            texts = {name: strings.get(name, "") for name in ("source", "recipe", "licence")}
            scores = {
                str(name): {str(metric): float(value) for metric, value in metrics.items()}
                for name, metrics in json.loads(strings.get("scores", "{}")).items()
            }
            return Metadata(_config(json.loads(strings["config"])), Provenance(**texts, scores=scores))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{where}: its metadata is damaged ({' '.join(str(error).split())[:200]})") from None


def _config(values: Any) -> TTSRConfig:
    older = {"channels_2x": 0, "channels_4x": 0, "trunk_channels": 0, "refinement_radius": 0, "res_scale": 1.0}
    sizes = older | values  # which older files lack
    known = {field.name: sizes.pop(field.name) for field in fields(TTSRConfig)}
    if sizes:
        raise ValueError(f"unknown sizes {', '.join(sizes)}")
    skip, res_scale, blocks, widths = (
        known.pop(name) for name in ("bicubic_skip", "res_scale", "num_blocks", "extractor_channels")
    )
    if not (isinstance(skip, bool) and len(blocks) == 4 and len(widths) == 3):
        raise ValueError("sizes of the wrong type")
    if not all(type(number) is int for number in (*blocks, *widths, *known.values())):
        raise ValueError("sizes that are not integers")
    if type(res_scale) not in (int, float):
        raise ValueError("res_scale is no number")
    lists = {"num_blocks": tuple(blocks), "extractor_channels": tuple(widths)}
    return TTSRConfig(**lists, bicubic_skip=skip, res_scale=float(res_scale), **known)
