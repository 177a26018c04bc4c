"""Perceptual and transferal terms against equation 12, and where their gradients go."""

import pytest
import torch
from torch import Tensor

from ttsr.losses.perceptual import perceptual_loss, transferal_loss
from ttsr.models.extractor import LearnableTextureExtractor


def images(number: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(number)
    return [torch.rand(2, 3, 8, 12, dtype=torch.double, generator=generator) for _ in range(number)]


def small_extractor() -> LearnableTextureExtractor:
    torch.manual_seed(0)
    return LearnableTextureExtractor((3, 4, 5)).double()


def gradients(extractor: LearnableTextureExtractor) -> list[Tensor | None]:
    return [p.grad for p in extractor.parameters()]


def test_perceptual_is_the_mean_square_over_all_features():
    extractor, (sr, hr) = small_extractor(), images(2)
    difference = extractor.coarse(sr) - extractor.coarse(hr)
    expected = (difference**2).sum() / (2 * 5 * 2 * 3)
    torch.testing.assert_close(perceptual_loss(extractor.coarse, sr, hr), expected)


def test_perceptual_gives_hr_no_gradient():
    extractor, (sr, hr) = small_extractor(), [image.requires_grad_() for image in images(2)]
    perceptual_loss(extractor.coarse, sr, hr).backward()
    assert hr.grad is None
    assert sr.grad is not None and sr.grad.abs().sum() > 0


@pytest.mark.parametrize(("over_levels", "divisor"), [("sum", 1), ("mean", 3)])
def test_transferal_is_the_mean_square_of_each_level(over_levels, divisor):
    extractor, (sr, other) = small_extractor(), images(2)
    textures = extractor(other)
    expected = sum(((a - b) ** 2).sum() / a.numel() for a, b in zip(extractor(sr), textures, strict=True)) / divisor
    torch.testing.assert_close(transferal_loss(extractor, sr, textures, over_levels), expected)


def test_transferal_reaches_the_image_and_the_textures_but_not_the_extractor():
    extractor, (sr, other) = small_extractor(), images(2)
    sr.requires_grad_()
    textures = [level.detach().requires_grad_() for level in extractor(other)]
    transferal_loss(extractor, sr, textures, "sum").backward()
    assert gradients(extractor) == [None] * 10
    assert sr.grad is not None and sr.grad.abs().sum() > 0
    for texture, level in zip(textures, extractor(sr), strict=True):
        assert texture.grad is not None
        torch.testing.assert_close(texture.grad, 2 * (texture - level).detach() / level.numel())


def test_transferal_trains_the_extractor_by_way_of_the_textures_as_a_frozen_copy_would():
    extractor, (sr, other) = small_extractor(), images(2)
    transferal_loss(extractor, sr, extractor(other), "mean").backward()
    through_textures = gradients(extractor)
    extractor.zero_grad()
    frozen = small_extractor().requires_grad_(False)
    terms = [((a - b) ** 2).mean() for a, b in zip(frozen(sr), extractor(other), strict=True)]
    torch.stack(terms).mean().backward()
    for ours, theirs in zip(through_textures, gradients(extractor), strict=True):
        torch.testing.assert_close(ours, theirs)
