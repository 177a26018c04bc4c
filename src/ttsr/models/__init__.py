"""The network: plain modules on float tensors that know nothing of files, devices or losses."""

from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import EncodedReference, Matcher, Matches
from ttsr.models.discriminator import Discriminator
from ttsr.models.ttsr import TTSR, TTSROutput
from ttsr.models.vgg import VGG19

__all__ = [
    "EXACT",
    "SCALE",
    "TTSR",
    "VGG19",
    "Discriminator",
    "EncodedReference",
    "Matcher",
    "Matches",
    "TTSRConfig",
    "TTSROutput",
]
