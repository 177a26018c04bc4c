"""Scores of single pictures combined: means over pictures, as in published tables."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.network_inputs import STACKED_SIDE
from ttsr.evaluation.protocols import Protocol, Score
from ttsr.evaluation.reference_choice import REFERENCE_LABELS
from ttsr.evaluation.scored_picture import PictureScore

# Pictures that a note names; the rest are counted.
_MAX_NAMED = 5


@dataclass(frozen=True)
class Row:
    """One model with one choice of references, over all pictures in the order of the test set."""

    model: str
    reference: ReferenceChoice
    pictures: tuple[PictureScore, ...]

    @property
    def substituted(self) -> tuple[str, ...]:
        """Names of the pictures that lack the requested reference and used their last one."""
        return tuple(picture.name for picture in self.pictures if picture.substituted)

    def model_mean(self, protocol: Protocol) -> Score:
        """The model's metrics, each averaged over the pictures; NIQE over those that are large enough for it."""
        return mean_score([picture.model[protocol.name] for picture in self.pictures])

    def bicubic_mean(self, protocol: Protocol) -> Score:
        """Bicubic's metrics, each averaged over the pictures."""
        return mean_score([picture.bicubic[protocol.name] for picture in self.pictures])

    def gain(self, protocol: Protocol) -> Score:
        """The model's gain over bicubic, averaged over the pictures; NaN where infinities of both signs meet."""
        return mean_score([picture.gain(protocol) for picture in self.pictures])

    def notes(self) -> list[str]:
        """Caveats that a reader of the means must know, one sentence each."""
        count, label, notes = len(self.pictures), REFERENCE_LABELS[self.reference], []
        notes += [
            f"{self.model} with {label}: {how}" for how in dict.fromkeys(p.matching for p in self.pictures) if how
        ]
        if self.substituted:
            real = count - len(self.substituted)
            have = "1 picture has" if real == 1 else f"{real} pictures have"
            lacking = f"{len(self.substituted)} of {count} without {label}"
            notes.append(f"{lacking}, which were given their last one: {have} this level")
        if self.reference == "stacked":
            sides = [picture.reference_size[0] for picture in self.pictures if picture.reference_size is not None]
            larger = [side for side in sides if side > STACKED_SIDE]
            if larger:
                notes.append(
                    f"{len(larger)} of {count} with references larger than {STACKED_SIDE}x{STACKED_SIDE}, stacked on "
                    f"squares of up to {max(larger)}x{max(larger)}: the paper's set has none"
                )
        for which, who in (("bicubic", "bicubic"), ("model", f"{self.model} with {label}")):
            protocols: dict[tuple[str, ...], list[str]] = defaultdict(list)
            for protocol in self.pictures[0].model:
                exact = tuple(p.name for p in self.pictures if getattr(p, which)[protocol].psnr == math.inf)
                if exact:
                    protocols[exact].append(protocol)
            for names, of in protocols.items():
                more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
                where = f"{who} equals the ground truth on {', '.join(names[:_MAX_NAMED])}{more} by {', '.join(of)}"
                notes.append(f"{where}: PSNR is infinite there, and so is its mean")
        return notes


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation: rows by model, and within a model by choice of references, as requested."""

    protocols: tuple[Protocol, ...]
    rows: tuple[Row, ...]

    @property
    def num_pictures(self) -> int:
        """Number of pictures in the test set."""
        return len(self.rows[0].pictures)

    @property
    def counted(self) -> str:
        """The number of pictures in words."""
        return "1 picture" if self.num_pictures == 1 else f"{self.num_pictures} pictures"

    def bicubic_rows(self, protocols: Sequence[Protocol]) -> list[tuple[str, Row]]:
        """Rows whose bicubic means to show, each with the label of its references.

        A single row with an empty label if the means agree, to the digits that tables show, for all choices of
        references. Under c2-matching they may differ: the LR is padded to its reference's size.
        """
        firsts: dict[ReferenceChoice, Row] = {}
        for row in self.rows:
            firsts.setdefault(row.reference, row)
        means = [[row.bicubic_mean(protocol) for protocol in protocols] for row in firsts.values()]
        if len({tuple(tuple(mean.texts()) for mean in row) for row in means}) == 1:
            return [("", self.rows[0])]
        return [(REFERENCE_LABELS[reference], row) for reference, row in firsts.items()]

    def notes(self) -> list[str]:
        """The notes of all rows, without repetitions."""
        return list(dict.fromkeys(note for row in self.rows for note in row.notes()))


def make_rows(model: str, scores: Iterable[PictureScore], references: Sequence[ReferenceChoice]) -> list[Row]:
    """Group a model's scores, in any order, into a row for each choice of references.

    The pictures of a row are in the order of the test set, and means are exactly rounded sums: the result does not
    depend on how processes shared the work.
    """
    ordered = sorted(scores, key=lambda score: score.number)
    return [
        Row(model, reference, tuple(score for score in ordered if score.reference == reference))
        for reference in references
    ]


def mean_score(scores: Sequence[Score]) -> Score:
    """Each metric averaged; NIQE over those that have one. PSNR is NaN where infinities of both signs meet."""
    psnrs = [score.psnr for score in scores]
    has_no_mean = math.inf in psnrs and -math.inf in psnrs
    psnr = math.nan if has_no_mean else fmean(psnrs)
    niqes = [score.niqe for score in scores if not math.isnan(score.niqe)]
    others = map(fmean, zip(*(score[1:-1] for score in scores), strict=True))
    return Score(psnr, *others, niqe=fmean(niqes) if niqes else math.nan)
