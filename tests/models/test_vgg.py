"""VGG19 against torchvision's list of layers, as its documentation states it."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.vgg import VGG19
from ttsr.models.vgg_layers import layer_name

# Configuration E; M is a pooling layer.
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M")


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


def torchvisions_features(vgg: VGG19, layers: Sequence[int | str]) -> nn.Sequential:
    """torchvision's `features` with the convolutions of `vgg`."""
    convolutions = iter([layer for layer in vgg.children() if isinstance(layer, nn.Conv2d)])
    features: list[nn.Module] = []
    for layer in layers:
        features += [nn.MaxPool2d(2, 2)] if layer == "M" else [next(convolutions), nn.ReLU()]
    assert not list(convolutions)
    return nn.Sequential(*features)


def normalised(image: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (image - mean[:, None, None]) / std[:, None, None]


def test_equals_the_list_of_layers(vgg):
    image = torch.rand(2, 3, 35, 20, generator=torch.Generator().manual_seed(0))
    expected = torchvisions_features(vgg, LAYERS[:17])(normalised(image))
    assert expected.shape == (2, 512, 2, 1) and expected.abs().sum() > 0
    torch.testing.assert_close(vgg(image), expected)


def test_every_layer_is_found_by_name_and_by_torchvisions_index():
    torch.manual_seed(0)
    vgg = VGG19("pool5")
    x, features = (
        torch.rand(1, 3, 35, 33, generator=torch.Generator().manual_seed(0)),
        torchvisions_features(vgg, LAYERS),
    )
    ours = vgg.features(x, [layer_name(str(index)) for index in range(len(features))])
    x = normalised(x)
    for layer, found in zip(features, ours, strict=True):
        x = layer(x)
        torch.testing.assert_close(found, x)
    assert [layer_name(index) for index in ("8", "29", "34")] == ["relu2_2", "relu5_1", "conv5_4"]
    assert layer_name("relu3_4") == "relu3_4"


@pytest.mark.parametrize("layer", ["37", "-1", "relu5_5", "fc6", ""])
def test_an_unknown_layer_is_named(layer):
    with pytest.raises(ValueError, match=f"no layer '{layer}'; there are conv1_1"):
        layer_name(layer)


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
