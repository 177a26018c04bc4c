"""Evaluation: models scored on a test set under published protocols, and reports of the scores."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.evaluation.metrics import psnr, ssim
    from ttsr.evaluation.protocols import PROTOCOLS, Protocol, Score
    from ttsr.evaluation.report import Report, Row, make_rows
    from ttsr.evaluation.scored_picture import PictureScore
    from ttsr.evaluation.scoring import evaluate

__all__ = ["PROTOCOLS", "PictureScore", "Protocol", "Report", "Row", "Score", "evaluate", "make_rows", "psnr", "ssim"]

_NAMES = {
    "metrics": ("psnr", "ssim"),
    "protocols": ("PROTOCOLS", "Protocol", "Score"),
    "report": ("Report", "Row", "make_rows"),
    "scored_picture": ("PictureScore",),
    "scoring": ("evaluate",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
