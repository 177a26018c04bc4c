"""Perceptual and transferal terms against equation 12, and where their gradients go."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.losses.perceptual import perceptual_loss, style_loss, transferal_loss
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
    torch.testing.assert_close(perceptual_loss([extractor.coarse(sr)], [extractor.coarse(hr)]), expected)


@pytest.mark.parametrize(("criterion", "power"), [("mse", 2), ("l1", 1)])
def test_perceptual_is_weighted_and_summed_over_layers(criterion, power):
    extractor, (sr, hr) = small_extractor(), images(2)
    terms = [((a - b).abs() ** power).mean() for a, b in zip(extractor(sr), extractor(hr), strict=True)]
    expected = 0.5 * terms[0] + 2 * terms[1] + 3 * terms[2]
    torch.testing.assert_close(perceptual_loss(extractor(sr), extractor(hr), (0.5, 2, 3), criterion), expected)


@pytest.mark.parametrize(("criterion", "power"), [("mse", 2), ("l1", 1)])
def test_style_compares_gram_matrices(criterion, power):
    (sr, hr), expected = images(2), torch.zeros((), dtype=torch.double)
    for weight, a, b in ((0.5, sr, hr), (2.0, sr[:, :2, :4], hr[:, :2, :4])):
        _, c, h, w = a.shape
        grams = [torch.einsum("bihw,bjhw->bij", x, x) / (c * h * w) for x in (a, b)]
        expected = expected + weight * ((grams[0] - grams[1]).abs() ** power).sum() / (2 * c * c)
    on_sr, on_hr = ([image, image[:, :2, :4]] for image in (sr, hr))
    torch.testing.assert_close(style_loss(on_sr, on_hr, (0.5, 2.0), criterion), expected)


def test_perceptual_and_style_give_hr_no_gradient():
    extractor, (sr, hr) = small_extractor(), [image.requires_grad_() for image in images(2)]
    features = [extractor.coarse(sr)], [extractor.coarse(hr)]
    (perceptual_loss(*features) + style_loss(*features)).backward()
    assert hr.grad is None
    assert sr.grad is not None and sr.grad.abs().sum() > 0


@pytest.mark.parametrize(("over_levels", "divisor"), [("sum", 1), ("mean", 3)])
def test_transferal_is_the_mean_square_of_each_level(over_levels, divisor):
    extractor, (sr, other) = small_extractor(), images(2)
    textures = extractor(other)
    expected = sum(((a - b) ** 2).sum() / a.numel() for a, b in zip(extractor(sr), textures, strict=True)) / divisor
    torch.testing.assert_close(transferal_loss(extractor, sr, textures, over_levels), expected)


@pytest.mark.parametrize(("criterion", "power"), [("mse", 2), ("l1", 1)])
@pytest.mark.parametrize("attention", ["none", "sigmoid", "mmagic"])
def test_transferal_is_weighted_by_relevance_as_published(criterion, power, attention):
    """The authors: the sigmoid of S up-sampled; MMagic: the sigmoid only at the coarse level."""
    extractor, (sr, other) = small_extractor(), images(2)
    relevance = torch.rand(2, 1, 2, 3, dtype=torch.double, generator=torch.Generator().manual_seed(9))
    textures, expected = extractor(other), torch.zeros((), dtype=torch.double)
    for factor, a, b in zip((1, 2, 4), extractor(sr), textures, strict=True):
        share = relevance
        if factor > 1:
            share = F.interpolate(relevance, scale_factor=factor, mode="bicubic", align_corners=False)
        if attention == "none":
            share = torch.ones_like(share)
        elif attention == "sigmoid" or factor == 1:
            share = 1 / (1 + torch.exp(-share))
        expected = expected + ((a * share - b * share).abs() ** power).sum() / a.numel()
    loss = transferal_loss(extractor, sr, textures, "sum", criterion, relevance, attention)
    # Up-sampling is by matrices of 32 bits where there are gradients.
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)


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
