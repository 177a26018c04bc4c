"""Validation: the averaged model, scored on a test set during training."""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from ttsr.data.cufed5 import ReferenceChoice, list_groups
from ttsr.evaluation.protocol_names import ProtocolName
from ttsr.evaluation.protocols import PROTOCOLS
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.evaluation.scoring import evaluate
from ttsr.evaluation.worst_square import worst_square
from ttsr.images.heat_maps import over_gray, viridis
from ttsr.images.panels import matched_detail, side_by_side
from ttsr.images.resize import SCALE, upscale4_nearest
from ttsr.training.trainer import Trainer
from ttsr.training.training_log import TrainingLog

NUM_SHOWN = 4
"""Number of the test set's first pictures that TensorBoard shows."""

_DETAIL_SIDE = 96


@dataclass(frozen=True)
class ValidationScore:
    """The step that was validated, its mean PSNR in dB, and by what: test set, protocol and references."""

    step: int
    psnr: float
    test_set: str
    protocol: ProtocolName = "paper-y"
    reference: ReferenceChoice = "1"

    def compares_with(self, other: "ValidationScore") -> bool:
        """Whether both were scored in the same way."""
        return replace(self, step=0, psnr=0.0) == replace(other, step=0, psnr=0.0)


class Validation:
    """Scores a run on a test set, by the recipe's protocol and references; the processes share the pictures.

    Args:
        folder: as `list_groups` takes it.
        protocol: how to score.
        reference: the choice of references.

    Raises:
        DataError: the folder is missing or not in this layout.
    """

    def __init__(self, folder: Path, protocol: ProtocolName = "paper-y", reference: ReferenceChoice = "1") -> None:
        self.groups, self.test_set = list_groups(folder), str(folder)
        self.protocol: ProtocolName = protocol
        self.reference: ReferenceChoice = reference

    def __call__(self, trainer: Trainer, log: TrainingLog | None) -> ValidationScore:
        """Score the averaged model, the same on every process, and log the metrics and the first pictures.

        Args:
            trainer: the run.
            log: of the main process; None on the others.

        Raises:
            DataError: a group has no reference.
            ImageError: a picture is unreadable or too small.
        """
        runtime, shown, scores = trainer.runtime, list[tuple[int, str, np.ndarray]](), list[PictureScore]()

        def keep(score: PictureScore, images: ScoredImages) -> None:
            if score.number < NUM_SHOWN:
                shown.append((score.number, score.name, validation_picture(images)))

        with runtime.together():
            share = (runtime.rank, runtime.count)
            scores = evaluate(
                trainer.averaged_model(),
                self.groups,
                references=[self.reference],
                protocols=[PROTOCOLS[self.protocol]],
                on_picture=keep,
                share=share,
            )
        scores = sorted(runtime.gather(scores), key=lambda score: score.number)
        pictures = sorted(runtime.gather(shown), key=lambda picture: picture[0])
        model, bicubic = ([getattr(score, which)[self.protocol] for score in scores] for which in ("model", "bicubic"))
        psnr = fmean(score.psnr for score in model)
        if log is not None:
            metrics = {
                "psnr": psnr,
                "ssim": fmean(score.ssim for score in model),
                "mae": fmean(score.mae for score in model),
                "gmsd": fmean(score.gmsd for score in model),
                "gain": psnr - fmean(score.psnr for score in bicubic),
                "relevance": fmean(score.relevance for score in scores),
            }
            log.add_metrics(trainer.step, metrics, under="validation")
            for _, name, picture in pictures:
                log.add_picture(trainer.step, f"validation/{name}", picture)
        return ValidationScore(trainer.step, psnr, self.test_set, self.protocol, self.reference)


def validation_picture(images: ScoredImages) -> np.ndarray:
    """LR, reference, bicubic, SR, ground truth and relevance side by side, and the square where bicubic errs most."""
    lr, reference = images.lr, images.reference
    relevance = over_gray(viridis(images.relevance), lr, longest_side=SCALE * max(lr.shape[:2]))
    pictures = {
        "LR": upscale4_nearest(lr),
        **({} if reference is None else {"reference": reference}),
        "bicubic": images.bicubic,
        "SR": images.sr,
        "ground truth": images.hr,
        "relevance, 0 blue to 1 yellow": np.asarray(relevance),
    }
    side = min(_DETAIL_SIDE, *images.hr.shape[:2])
    detail, elsewhere = worst_square(images.hr, images.bicubic, side), {}
    if reference is not None:
        size = reference.shape[0], reference.shape[1]
        elsewhere["reference"] = matched_detail(images.index, detail, side, size)
    return np.asarray(side_by_side(pictures, detail, side, elsewhere=elsewhere))
