"""VGG19 against torchvision's list of layers, as its documentation states it."""

import pytest
import torch
from torch import nn

from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.vgg import VGG19

# Configuration E; M is a pooling layer. What follows conv5_1 is left out.
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


def test_equals_the_list_of_layers(vgg):
    convolutions = iter([layer for layer in vgg.children() if isinstance(layer, nn.Conv2d)])
    layers: list[nn.Module] = []
    for layer in LAYERS:
        if layer == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [next(convolutions), nn.ReLU()]
    assert not list(convolutions)
    image = torch.rand(2, 3, 35, 20, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = nn.Sequential(*layers)((image - mean[:, None, None]) / std[:, None, None])
    assert expected.shape == (2, 512, 2, 1) and expected.abs().sum() > 0
    torch.testing.assert_close(vgg(image), expected)


def test_is_frozen_while_the_image_gets_a_gradient(vgg):
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
    vgg(image).sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert not any(p.requires_grad or p.grad is not None for p in vgg.parameters())


def test_begins_as_the_extractor_does(vgg):
    names = list(LearnableTextureExtractor().state_dict())
    assert list(vgg.state_dict())[: len(names)] == names


def test_too_small_an_image_is_named(vgg):
    with pytest.raises(ValueError, match="16 pixels at least"):
        vgg(torch.zeros(1, 3, 15, 40))
