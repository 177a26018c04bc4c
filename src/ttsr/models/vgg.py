"""VGG19's features: what the perceptual loss compares images by, and what the texture extractor starts from."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.extractor import ImageNetNormalisation
from ttsr.models.vgg_layers import BLOCKS, LAYERS, smallest_side


class VGG19(nn.Module):
    """VGG19's convolutions, `conv1_1` ... (Simonyan and Zisserman, 2015, configuration E), up to a layer of `LAYERS`.

    Frozen: no parameter requires a gradient, while the image gets one.
    """

    def __init__(self, last: str = "relu5_1") -> None:
        super().__init__()
        self.layers = LAYERS[: LAYERS.index(last) + 1]
        before = 3
        for layer in self.layers:
            if layer.startswith("conv"):
                channels, _ = BLOCKS[int(layer[len("conv")]) - 1]
                self.add_module(layer, nn.Conv2d(before, channels, 3, padding=1))
                before = channels
        self.requires_grad_(False)
        self.normalise = ImageNetNormalisation()

    def features(self, image: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """The outputs of some layers, (B, C, H', W') each, of an image (B, 3, H, W), RGB in [0, 1].

        Raises:
            ValueError: a side is so short that pooling leaves nothing of it, 16 pixels for block 5.
        """
        needed = self.layers[: 1 + max(self.layers.index(layer) for layer in layers)]
        if min(image.shape[2:]) < (smallest := smallest_side(layers)):
            raise ValueError(f"VGG19 needs sides of {smallest} pixels at least, not {tuple(image.shape)}")
        x, found = self.normalise(image), {}
        for layer in needed:
            if layer.startswith("conv"):
                x = self.get_submodule(layer)(x)
            else:
                x = F.relu(x) if layer.startswith("relu") else F.max_pool2d(x, 2)
            if layer in layers:
                found[layer] = x
        return [found[layer] for layer in layers]

    def forward(self, image: Tensor) -> Tensor:
        """The last layer, relu5_1 (B, 512, H // 16, W // 16) by default; see `features`."""
        return self.features(image, self.layers[-1:])[0]
