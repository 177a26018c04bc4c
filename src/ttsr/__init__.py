"""Reference-based super-resolution after TTSR (Yang et al., CVPR 2020)."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.inference.maps import write_maps as write_maps
    from ttsr.inference.sizes import upscale_to as upscale_to
    from ttsr.inference.upscaled import Upscaled as Upscaled
    from ttsr.inference.upscaler import Upscaler as Upscaler
    from ttsr.models.ttsr import TTSR as TTSR
    from ttsr.weights.loading import load as load

__version__ = "0.1.0"
__getattr__ = lazy_imports(__name__, __file__)
