"""Validation: the averaged model, scored on a test set during training."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.metrics import scikit_image_ssim
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.evaluation.scoring import evaluate
from ttsr.system.distributed import Runtime
from ttsr.training.trainer import Trainer
from ttsr.training.training_log import TrainingLog

NUM_SHOWN = 4
"""Number of the test set's first pictures that TensorBoard shows."""


@dataclass(frozen=True)
class ValidationScore:
    """The result of a validation.

    Attributes:
        step: that was validated.
        psnr: mean PSNR in dB (`paper-y`, reference 1).
        test_set: folder of the test set.
    """

    step: int
    psnr: float
    test_set: str


class Validation:
    """Scores a run on a test set in CUFED5's layout, reference 1, by `paper-y`; the processes share the pictures.

    Args:
        folder: the test set.
        runtime: the processes.

    Raises:
        DataError: the folder is missing or not in this layout.
        UserError: scikit-image is not installed.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        scikit_image_ssim()
        self.groups, self.runtime, self.test_set = list_groups(folder), runtime, str(folder)

    def __call__(self, trainer: Trainer, log: TrainingLog | None) -> ValidationScore:
        """Score the averaged model, and log the metrics and the first pictures.

        Args:
            trainer: the run.
            log: of the main process; None on the others.

        Returns:
            The score, the same on every process.

        Raises:
            DataError: a group has no reference.
            ImageError: a picture is unreadable or too small.
        """
        strips: list[tuple[int, str, np.ndarray]] = []

        def keep(score: PictureScore, shown: ScoredImages) -> None:
            if score.number < NUM_SHOWN:
                strips.append((score.number, score.name, side_by_side(shown)))

        share = (self.runtime.rank, self.runtime.count)
        mine: list[PictureScore] = []
        with self.runtime.together():
            mine = evaluate(trainer.averaged_model(), self.groups, protocols=[PAPER_Y], on_picture=keep, share=share)
        scores = sorted(self.runtime.gather(mine), key=lambda score: score.number)
        shown = sorted(self.runtime.gather(strips), key=lambda strip: strip[0])
        model, bicubic = ([getattr(score, which)[PAPER_Y.name] for score in scores] for which in ("model", "bicubic"))
        psnr = fmean(score.psnr for score in model)
        if log is not None:
            metrics = {
                "psnr": psnr,
                "ssim": fmean(score.ssim for score in model),
                "gain": psnr - fmean(score.psnr for score in bicubic),
                "relevance": fmean(score.relevance for score in scores),
            }
            log.add_metrics(trainer.step, metrics, under="validation")
            for _, name, strip in shown:
                log.add_picture(trainer.step, f"validation/{name}", strip)
        return ValidationScore(trainer.step, psnr, self.test_set)


def side_by_side(shown: ScoredImages) -> np.ndarray:
    """LR (enlarged), reference, bicubic, SR, ground truth and relevance side by side: (H, W, 3) uint8."""
    height = shown.hr.shape[0]
    relevance = (shown.relevance.clip(0, 1) * 255).round().astype(np.uint8)
    pieces = [
        _enlarge(shown.lr),
        *([] if shown.reference is None else [shown.reference]),
        shown.bicubic,
        shown.sr,
        shown.hr,
        _enlarge(np.repeat(relevance[..., None], 3, axis=2)),
    ]
    padded = [np.pad(piece[:height], ((0, max(0, height - len(piece))), (0, 0), (0, 0))) for piece in pieces]
    return np.concatenate(padded, axis=1)


def _enlarge(image: np.ndarray) -> np.ndarray:
    return image.repeat(4, axis=0).repeat(4, axis=1)
