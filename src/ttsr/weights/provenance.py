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
            raise WeightsError(f"{where}: its metadata is damaged ({error})") from None


def _config(values: Any) -> TTSRConfig:
    sizes = {"refinement_radius": 0, "res_scale": 1.0} | values  # which older files lack
    channels, blocks, widths, skip, radius, res_scale = (sizes.pop(field.name) for field in fields(TTSRConfig))
    if sizes:
        raise ValueError(f"unknown sizes {', '.join(sizes)}")
    if not (isinstance(skip, bool) and len(blocks) == 4 and len(widths) == 3):
        raise ValueError("sizes of the wrong type")
    if not all(type(number) is int for number in (channels, *blocks, *widths, radius)):
        raise ValueError("sizes that are not integers")
    if type(res_scale) not in (int, float):
        raise ValueError("res_scale is no number")
    return TTSRConfig(channels, tuple(blocks), tuple(widths), skip, radius, float(res_scale))
