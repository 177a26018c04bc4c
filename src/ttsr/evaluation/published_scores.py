"""Published scores on CUFED5, each under the protocol that its own code follows."""

from dataclasses import dataclass
from typing import Literal

Evidence = Literal["publication", "quotation", "unverified"]
"""Where the score was read for this list: in the publication; in a public quotation or log of it; or it is the paper's
score as generally cited, and was not verified."""


@dataclass(frozen=True)
class PublishedScore:
    """Published PSNR and SSIM at factor 4: means over the 126 pictures of CUFED5.

    Attributes:
        method: as its authors call it; "-rec" and "-l2" are trained for reconstruction alone, the others with a GAN.
        psnr: as published, in dB.
        ssim: as published.
        protocol: the name of our protocol that scores the same way; None where the publication does not state it.
        references: what the network was given.
        source: where it is published.
        evidence: how far it is verified.
    """

    method: str
    psnr: float
    ssim: float
    protocol: str | None
    references: str
    source: str
    evidence: Evidence

    @property
    def marked_method(self) -> str:
        """The method, with an asterisk if the score is unverified; `FOOTNOTE` explains it."""
        return f"{self.method}*" if self.evidence == "unverified" else self.method


_TTSR = "Yang et al., CVPR 2020"
_SRNTT = "Zhang et al., CVPR 2019"
_MASA = "Lu et al., CVPR 2021"
_C2 = "Jiang et al., CVPR 2021"
_DATSR = "Cao et al., ECCV 2022"
_MMEDITING = "MMEditing model page"
_STACKED = "five, stacked on 500x500"
_EDGES = "five, stacked on 512x512, edges replicated"
_FIRST = "1"
_PADDED = "1, both padded"
_HR_SIZE = "1, HR size"

PUBLISHED_SCORES = (
    PublishedScore("SRNTT", 25.61, 0.764, None, "five", _SRNTT, "unverified"),
    PublishedScore("SRNTT-l2", 26.24, 0.784, None, "five", _SRNTT, "unverified"),
    PublishedScore("TTSR", 25.53, 0.765, "paper-y", _STACKED, f"{_TTSR}, table 1", "unverified"),
    PublishedScore("TTSR", 25.402, 0.7600, "paper-y", _FIRST, "researchmm/TTSR issue 3", "quotation"),
    PublishedScore("TTSR-rec", 27.09, 0.804, "paper-y", _STACKED, f"{_TTSR}, table 1", "quotation"),
    PublishedScore("TTSR-rec", 26.991, 0.8003, "paper-y", _FIRST, "researchmm/TTSR issue 3", "quotation"),
    PublishedScore("TTSR-rec (MMEditing)", 25.2433, 0.7491, "mmedit-rgb", _HR_SIZE, _MMEDITING, "publication"),
    PublishedScore("TTSR-gan (MMEditing)", 24.6075, 0.7234, "mmedit-rgb", _HR_SIZE, _MMEDITING, "publication"),
    PublishedScore("MASA", 24.92, 0.729, "paper-y", _EDGES, _MASA, "unverified"),
    PublishedScore("MASA-rec", 27.54, 0.814, "paper-y", _EDGES, f"{_MASA}; MASA-SR issue 2", "quotation"),
    PublishedScore("C2-Matching", 27.16, 0.805, "c2-matching", _PADDED, _C2, "unverified"),
    PublishedScore("C2-Matching-rec", 28.24, 0.841, "c2-matching", _PADDED, _C2, "unverified"),
    PublishedScore("DATSR", 27.95, 0.835, "c2-matching", _PADDED, _DATSR, "unverified"),
    PublishedScore("DATSR-rec", 28.72, 0.856, "c2-matching", _PADDED, _DATSR, "unverified"),
    PublishedScore("DATSR, released weights", 27.76, 0.828, "c2-matching", _PADDED, "DATSR issue 6", "quotation"),
    PublishedScore("DATSR-rec, released weights", 28.50, 0.851, "c2-matching", _PADDED, "DATSR issue 6", "quotation"),
)

CAUTION = (
    "Published scores are means over the 126 pictures of CUFED5. They compare with a row above only where the test set "
    "is CUFED5 and both the protocol and the references are the same."
)
FOOTNOTE = "* the paper's score as generally cited; it was not verified for this list."
