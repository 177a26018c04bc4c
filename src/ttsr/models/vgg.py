"""VGG19 up to relu5_1: what the perceptual loss compares images by, and what the texture extractor starts from."""

import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.extractor import ImageNetNormalisation

# Channels and number of convolutions of each block; a block's grid is half its predecessor's.
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))

# Below this a side is pooled away before relu5_1.
_SMALLEST = 16


class VGG19(nn.Module):
    """VGG19's first 13 convolutions, `conv1_1` ... `conv5_1` (Simonyan and Zisserman, 2015, configuration E).

    Frozen: no parameter requires a gradient, while the image gets one.
    """

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for block, (channels, num_convs) in enumerate(BLOCKS, 1):
            for number in range(1, num_convs + 1):
                self.add_module(f"conv{block}_{number}", nn.Conv2d(before, channels, 3, padding=1))
                before = channels
        self.requires_grad_(False)
        self.normalise = ImageNetNormalisation()

    def forward(self, image: Tensor) -> Tensor:
        """relu5_1 (B, 512, H // 16, W // 16) of an image (B, 3, H, W), RGB in [0, 1].

        Raises:
            ValueError: a side is shorter than 16 pixels.
        """
        if min(image.shape[2:]) < _SMALLEST:
            raise ValueError(f"VGG19 needs sides of {_SMALLEST} pixels at least, not {tuple(image.shape)}")
        x = self.normalise(image)
        for block, (_, num_convs) in enumerate(BLOCKS, 1):
            if block > 1:
                x = F.max_pool2d(x, 2)
            for number in range(1, num_convs + 1):
                x = F.relu(self.get_submodule(f"conv{block}_{number}")(x))
        return x
