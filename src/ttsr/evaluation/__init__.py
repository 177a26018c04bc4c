"""Evaluation: models scored on a test set under published protocols, and reports of the scores."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.evaluation.metrics import psnr, ssim
    from ttsr.evaluation.protocols import PROTOCOLS, Protocol, Score
    from ttsr.evaluation.report import Report, Row, make_rows
    from ttsr.evaluation.report_files import read_mean_scores
    from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
    from ttsr.evaluation.scoring import evaluate

__all__ = [
    "PROTOCOLS",
    "PictureScore",
    "Protocol",
    "Report",
    "Row",
    "Score",
    "ScoredImages",
    "evaluate",
    "make_rows",
    "psnr",
    "read_mean_scores",
    "ssim",
]

_NAMES = {
    "metrics": ("psnr", "ssim"),
    "protocols": ("PROTOCOLS", "Protocol", "Score"),
    "report": ("Report", "Row", "make_rows"),
    "report_files": ("read_mean_scores",),
    "scored_picture": ("PictureScore", "ScoredImages"),
    "scoring": ("evaluate",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
