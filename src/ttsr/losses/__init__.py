"""Losses: functions of tensors, without state."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.losses.adversarial import discriminator_loss, generator_loss
    from ttsr.losses.contrastive import contrastive_loss
    from ttsr.losses.perceptual import perceptual_loss
    from ttsr.losses.reconstruction import reconstruction_loss
    from ttsr.losses.transferal import transferal_loss

__all__ = [
    "contrastive_loss",
    "discriminator_loss",
    "generator_loss",
    "perceptual_loss",
    "reconstruction_loss",
    "transferal_loss",
]

_HOMES = {name: f"{__name__}.{name.removesuffix('_loss')}" for name in __all__}
_HOMES["discriminator_loss"] = _HOMES["generator_loss"] = f"{__name__}.adversarial"
__getattr__ = lazy_imports(__name__, _HOMES)
