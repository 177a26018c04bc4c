"""Learnable texture extractor (section 3.1, "Learnable texture extractor")."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.blocks import relu
from ttsr.models.convolution import Conv3x3

# Mean and standard deviation of ImageNet's RGB in [0, 1], which VGG19 was trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageNetNormalisation(nn.Module):
    """RGB in [0, 1] to what VGG19 was trained on: zero mean and unit variance over ImageNet."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Make the buffers, which no state dict holds; needed anew if the network was built on `meta`."""
        # Explicitly float32: PyTorch's default type may have been changed.
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to the same shape."""
        return (image - self.mean) / self.std


class LearnableTextureExtractor(nn.Module):
    """VGG19 up to relu3_1, trained along with the rest.

    widths: channels at full, half and quarter size; VGG19's own are (64, 128, 256).
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 128, 256)) -> None:
        super().__init__()
        self.widths = widths
        fine, middle, coarse = widths
        self.conv1_1 = Conv3x3(3, fine)
        self.conv1_2 = Conv3x3(fine, fine)
        self.conv2_1 = Conv3x3(fine, middle)
        self.conv2_2 = Conv3x3(middle, middle)
        self.conv3_1 = Conv3x3(middle, coarse)
        self.normalise = ImageNetNormalisation()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Textures of three levels, coarse to fine.

        image: (B, 3, H, W) RGB in [0, 1], H and W multiples of 4. Returns relu3_1 (B, C3, H/4, W/4), relu2_1
        (B, C2, H/2, W/2) and relu1_1 (B, C1, H, W).
        """
        fine = relu(self.conv1_1(self.normalise(image)))
        middle = self._middle(fine)
        return self._coarse(middle), middle, fine

    def level(self, image: Tensor, number: int) -> Tensor:
        """One of the three levels alone, 0 to 2 from coarse to fine; nothing finer is kept longer than needed."""
        feature = relu(self.conv1_1(self.normalise(image)))
        if number < 2:
            feature = self._middle(feature)
        return self._coarse(feature) if number == 0 else feature

    def _middle(self, fine: Tensor) -> Tensor:
        return relu(self.conv2_1(F.max_pool2d(relu(self.conv1_2(fine)), 2)))

    def _coarse(self, middle: Tensor) -> Tensor:
        return relu(self.conv3_1(F.max_pool2d(relu(self.conv2_2(middle)), 2)))

    def coarse(self, image: Tensor) -> Tensor:
        """The coarse level alone, which is what queries and keys are made of: (B, C3, H/4, W/4)."""
        return self.level(image, 0)
