"""Losses: functions of tensors, without state."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.losses.adversarial import discriminator_loss as discriminator_loss, generator_loss as generator_loss
    from ttsr.losses.contrastive import contrastive_loss as contrastive_loss
    from ttsr.losses.perceptual import (
        perceptual_loss as perceptual_loss,
        style_loss as style_loss,
        transferal_loss as transferal_loss,
    )
    from ttsr.losses.reconstruction import reconstruction_loss as reconstruction_loss

__getattr__ = lazy_imports(__name__, __file__)
