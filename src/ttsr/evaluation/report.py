"""Scores of single pictures put together: means over pictures, as in the published tables."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.network_inputs import STACKED_SIDE
from ttsr.evaluation.protocols import Protocol, Score
from ttsr.evaluation.reference_choice import DESCRIBED
from ttsr.evaluation.scored_picture import PictureScore

# Pictures that a note names; the rest are counted.
_MOST_NAMED = 5


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
        """What the model has more than bicubic, averaged over the pictures: the means' difference, where it has one."""
        return _mean([picture.gain(protocol) for picture in self.pictures])

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
        bicubic, model = ([getattr(picture, of) for picture in self.pictures] for of in ("bicubic", "model"))
        notes += self._exact("bicubic", bicubic)
        notes += self._exact(f"{self.model} with {DESCRIBED[self.reference]}", model)
        return notes

    def _exact(self, who: str, scores: Sequence[dict[str, Score]]) -> list[str]:
        """Notes on pictures whose infinite PSNR makes the mean infinite."""
        protocols: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for protocol in scores[0]:
            pairs = zip(self.pictures, scores, strict=True)
            names = tuple(picture.name for picture, score in pairs if score[protocol].psnr == math.inf)
            if names:
                protocols[names].append(protocol)
        return [
            f"{who} equals the ground truth on {_listed(names)} by {', '.join(of)}: "
            "PSNR is infinite there, and so is its mean"
            for names, of in protocols.items()
        ]


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

    def bicubic_rows(self, protocols: Sequence[Protocol]) -> list[tuple[str, Row]]:
        """Rows of which to show bicubic's means, each with the words for its references.

        One, without words, where those of all references are the same to the digits that tables show. Under
        c2-matching they need not be: the LR is padded to its reference's size.
        """
        firsts: dict[ReferenceChoice, Row] = {}
        for row in self.rows:
            firsts.setdefault(row.reference, row)
        means = [[row.bicubic_mean(protocol) for protocol in protocols] for row in firsts.values()]
        if len({tuple(f"{mean.psnr:.2f} {mean.ssim:.4f}" for mean in row) for row in means}) == 1:
            return [("", self.rows[0])]
        return [(DESCRIBED[reference], row) for reference, row in firsts.items()]

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
    return Score(_average([score.psnr for score in scores]), _average([score.ssim for score in scores]))


def _average(values: Sequence[float]) -> float:
    """NaN where infinities of both signs meet."""
    return math.nan if math.inf in values and -math.inf in values else fmean(values)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
