"""The network: plain modules on float tensors that know nothing of files, devices or losses."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.models.config import SCALE as SCALE, TTSRConfig as TTSRConfig
    from ttsr.models.correspondence.exact import EXACT as EXACT
    from ttsr.models.correspondence.types import (
        EncodedReference as EncodedReference,
        Matcher as Matcher,
        Matches as Matches,
    )
    from ttsr.models.discriminator import Discriminator as Discriminator
    from ttsr.models.output import TTSROutput as TTSROutput
    from ttsr.models.patch_discriminator import PatchDiscriminator as PatchDiscriminator
    from ttsr.models.ttsr import TTSR as TTSR
    from ttsr.models.vgg import VGG19 as VGG19

__getattr__ = lazy_imports(__name__, __file__)
