"""Scores of single pictures put together: means over pictures, as in the published tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ttsr.data.cufed5 import ReferenceChoice
from ttsr.metrics.protocols import Protocol, Score
from ttsr.scoring.fitting import STACKED_SIDE
from ttsr.scoring.picture import PictureScore
from ttsr.scoring.references import DESCRIBED


@dataclass(frozen=True)
class Row:
    """One model with one choice of references, over all pictures."""

    model: str
    reference: ReferenceChoice
    pictures: tuple[PictureScore, ...]

    @property
    def substituted(self) -> tuple[str, ...]:
        """Names of the pictures that lack the reference asked for and were given their last one."""
        return tuple(picture.name for picture in self.pictures if picture.substituted)

    def model_mean(self, protocol: Protocol) -> Score:
        """The model's PSNR and SSIM, each averaged over the pictures."""
        return _mean([picture.model[protocol.name] for picture in self.pictures])

    def bicubic_mean(self, protocol: Protocol) -> Score:
        """Bicubic's PSNR and SSIM, each averaged over the pictures."""
        return _mean([picture.bicubic[protocol.name] for picture in self.pictures])

    def gain(self, protocol: Protocol) -> Score:
        """The model's means less bicubic's."""
        model, bicubic = self.model_mean(protocol), self.bicubic_mean(protocol)
        return Score(model.psnr - bicubic.psnr, model.ssim - bicubic.ssim)

    def notes(self) -> list[str]:
        """What a reader of the means must know."""
        count, notes = len(self.pictures), []
        if self.substituted:
            real = count - len(self.substituted)
            notes.append(
                f"{len(self.substituted)} of {count} without {DESCRIBED[self.reference]}, which were given their last "
                f"one: {'1 picture has' if real == 1 else f'{real} pictures have'} this level"
            )
        if self.reference == "stacked":
            sides = [picture.reference_size[0] for picture in self.pictures if picture.reference_size is not None]
            larger = [side for side in sides if side > STACKED_SIDE]
            if larger:
                notes.append(
                    f"{len(larger)} of {count} with references larger than {STACKED_SIDE}x{STACKED_SIDE}, stacked on "
                    f"squares of up to {max(larger)}x{max(larger)}: the paper's set has none"
                )
        return notes


@dataclass(frozen=True)
class Report:
    """What was found: rows by model and, within it, by reference, each in the order asked for."""

    protocols: tuple[Protocol, ...]
    rows: tuple[Row, ...]

    @property
    def num_pictures(self) -> int:
        """Pictures of the test set."""
        return len(self.rows[0].pictures)

    @property
    def counted(self) -> str:
        """The same in words."""
        return "1 picture" if self.num_pictures == 1 else f"{self.num_pictures} pictures"

    def notes(self) -> list[str]:
        """Those of all rows, each once."""
        return list(dict.fromkeys(note for row in self.rows for note in row.notes()))


def make_rows(model: str, scores: Iterable[PictureScore], references: Sequence[ReferenceChoice]) -> list[Row]:
    """A model's rows from its scores, which may come from several processes and in any order.

    The pictures of a row come out in the order of the test set, and means are exactly rounded sums: the result does not
    depend on how the work was shared.
    """
    ordered = sorted(scores, key=lambda score: score.number)
    return [
        Row(model, reference, tuple(score for score in ordered if score.reference == reference))
        for reference in references
    ]


def _mean(scores: Sequence[Score]) -> Score:
    return Score(fmean(score.psnr for score in scores), fmean(score.ssim for score in scores))
