"""The network: plain modules on float tensors that know nothing of files, devices or losses."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
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

_NAMES = {
    "config": ("SCALE", "TTSRConfig"),
    "correspondence.exact": ("EXACT",),
    "correspondence.types": ("EncodedReference", "Matcher", "Matches"),
    "discriminator": ("Discriminator",),
    "ttsr": ("TTSR", "TTSROutput"),
    "vgg": ("VGG19",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
