"""Evaluation: models scored on a test set under published protocols, and reports of the scores."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.evaluation.metrics import mae as mae, psnr as psnr, ssim as ssim
    from ttsr.evaluation.natural_statistics import niqe as niqe
    from ttsr.evaluation.perceptual_metrics import gmsd as gmsd, haarpsi as haarpsi
    from ttsr.evaluation.protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol, Score as Score
    from ttsr.evaluation.report import Report as Report, Row as Row, make_rows as make_rows
    from ttsr.evaluation.scored_picture import PictureScore as PictureScore
    from ttsr.evaluation.scoring import evaluate as evaluate

__getattr__ = lazy_imports(__name__, __file__)
