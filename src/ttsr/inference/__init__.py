"""A trained TTSR put to work on pictures."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.inference.maps import write_maps as write_maps
    from ttsr.inference.plan import Plan as Plan
    from ttsr.inference.references import (
        Reference as Reference,
        ReferencePixels as ReferencePixels,
        ReferenceSource as ReferenceSource,
        read_reference as read_reference,
    )
    from ttsr.inference.sizes import plan_to as plan_to, upscale_to as upscale_to
    from ttsr.inference.texture_origins import TextureOrigin as TextureOrigin
    from ttsr.inference.upscaled import Upscaled as Upscaled
    from ttsr.inference.upscaler import Upscaler as Upscaler

__getattr__ = lazy_imports(__name__, __file__)
