"""Scores on CUFED5 as others have published them, each under the protocol that its own code follows."""

from dataclasses import dataclass
from typing import Literal

Read = Literal["in its table", "in a quotation", "not again"]
"""Where the figure was read for this list: in the publication; in a public quotation or log of it; or it is the paper's
as generally cited, and was not read again."""


@dataclass(frozen=True)
class Published:
    """One published pair of PSNR and SSIM: means over the 126 pictures of CUFED5, four times.

    Attributes:
        method: as its authors call it; "-rec" and "-l2" are trained for reconstruction alone, the others with a GAN.
        psnr, ssim: as published; PSNR in dB.
        protocol: the name of ours that scores the same way; None where the publication does not tell.
        references: what the network was given.
        source: where it is published.
        read: how surely it is so.
    """

    method: str
    psnr: float
    ssim: float
    protocol: str | None
    references: str
    source: str
    read: Read


_TTSR = "Yang et al., CVPR 2020"
_SRNTT = "Zhang et al., CVPR 2019"
_MASA = "Lu et al., CVPR 2021"
_C2 = "Jiang et al., CVPR 2021"
_DATSR = "Cao et al., ECCV 2022"
_STACKED = "five, stacked on 500x500"
_EDGES = "five, stacked on 512x512, edges continued"
_FIRST = "1"
_FIRST_PADDED = "1, both padded"
_FIRST_CUT = "1, as the truth"

PUBLISHED = (
    Published("SRNTT", 25.61, 0.764, None, "five", _SRNTT, "not again"),
    Published("SRNTT-l2", 26.24, 0.784, None, "five", _SRNTT, "not again"),
    Published("TTSR", 25.53, 0.765, "paper-y", _STACKED, f"{_TTSR}, table 1", "not again"),
    Published("TTSR", 25.402, 0.7600, "paper-y", _FIRST, "researchmm/TTSR issue 3", "in a quotation"),
    Published("TTSR-rec", 27.09, 0.804, "paper-y", _STACKED, f"{_TTSR}, table 1", "in a quotation"),
    Published("TTSR-rec", 26.991, 0.8003, "paper-y", _FIRST, "researchmm/TTSR issue 3", "in a quotation"),
    Published("TTSR-rec, MMEditing's", 25.2433, 0.7491, "mmedit-rgb", _FIRST_CUT, "its model page", "in its table"),
    Published("TTSR-gan, MMEditing's", 24.6075, 0.7234, "mmedit-rgb", _FIRST_CUT, "its model page", "in its table"),
    Published("MASA", 24.92, 0.729, "paper-y", _EDGES, _MASA, "not again"),
    Published("MASA-rec", 27.54, 0.814, "paper-y", _EDGES, f"{_MASA}; MASA-SR issue 2", "in a quotation"),
    Published("C2-Matching", 27.16, 0.805, "c2-matching", _FIRST_PADDED, _C2, "not again"),
    Published("C2-Matching-rec", 28.24, 0.841, "c2-matching", _FIRST_PADDED, _C2, "not again"),
    Published("DATSR", 27.95, 0.835, "c2-matching", _FIRST_PADDED, _DATSR, "not again"),
    Published("DATSR-rec", 28.72, 0.856, "c2-matching", _FIRST_PADDED, _DATSR, "not again"),
    Published("DATSR, its weights", 27.76, 0.828, "c2-matching", _FIRST_PADDED, "DATSR issue 6", "in a quotation"),
    Published("DATSR-rec, its weights", 28.50, 0.851, "c2-matching", _FIRST_PADDED, "DATSR issue 6", "in a quotation"),
)

CAUTION = (
    "Published figures are of CUFED5, 126 pictures. They compare with a row above only where the test set is CUFED5 "
    "and both the protocol and the references are the same."
)
MARK = "* the paper's as generally cited; its table was not read again for this list."
