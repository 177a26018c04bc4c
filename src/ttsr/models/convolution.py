"""Convolutions whose results do not depend on the number of threads, and whose training is not held up by AVX2."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.correspondence.patches import OFFSETS

# From so many numbers in a row of the image on (C W), oneDNN's AVX2 kernel for the weight's gradient in channels_last
# falls to a half and then to a third of its rate.
_LONG_ROW = 3000

# Numbers of image and gradient that stay in the cache while nine products are taken of them.
_BLOCK_ELEMENTS = 2**19


def convolve(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
) -> Tensor:
    """`torch.nn.functional.conv2d`; in float32 on a CPU, without gradients, always by oneDNN's kernels.

    PyTorch itself takes another kernel for small images, and for 1x1 convolutions with one thread, whose sums are
    rounded otherwise: the result would depend on the number of threads and on the sizes of tiles.
    """
    if _by_onednn(image, weight):
        return torch.mkldnn_convolution(image, weight, bias, padding, stride, (1, 1), 1)
    return F.conv2d(image, weight, bias, stride, padding)


def _by_onednn(image: Tensor, weight: Tensor) -> bool:
    return (
        image.device.type == "cpu"
        and image.dtype == weight.dtype == torch.float32
        and image.numel() > 0
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
    )


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` by way of `convolve`; zero-padded, without dilation or groups."""

    def __init__(self, in_channels: int, out_channels: int, side: int, *, stride: int = 1, padding: int = 0) -> None:
        super().__init__(in_channels, out_channels, side, stride, padding)
        self._pads = padding, padding

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        return convolve(input, self.weight, self.bias, stride=self.stride, padding=self._pads)


class Conv3x3(Conv2d):
    """A 3x3 convolution, zero-padded by 1, stride 1; (B, C, H, W) to (B, D, H, W).

    `Conv2d` in all but how the weight's gradient is computed: in float32 training on a CPU with AVX2, nine matrix
    products a block of rows.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        if self.bias is not None and _gains(input, self.weight):
            return _Convolution.apply(input, self.weight, self.bias)
        return super().forward(input)


def _gains(image: Tensor, weight: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and torch.is_grad_enabled()
        and weight.requires_grad
        and image.device.type == "cpu"
        and image.dtype == weight.dtype == torch.float32
        and image.shape[1] * image.shape[3] >= _LONG_ROW
        and image.is_contiguous(memory_format=torch.channels_last)
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
    )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(image, weight)
        return F.conv2d(image, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (image, weight), wanted = gradients, ctx.saved_tensors, ctx.needs_input_grad
        if torch.is_grad_enabled():  # to be differentiated once more, which PyTorch's own steps can be
            return _pytorch(gradient, image, weight, wanted)
        to_image, _, _ = _pytorch(gradient, image, weight, (wanted[0], False, False))
        to_weight = weight_gradient(image, gradient) if wanted[1] else None
        return to_image, to_weight, gradient.sum((0, 2, 3)) if wanted[2] else None


def _pytorch(
    gradient: Tensor, image: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, ...]:
    ones, no = (1, 1), (0, 0)
    return torch.ops.aten.convolution_backward(
        gradient, image, weight, [len(weight)], ones, ones, ones, False, no, 1, wanted
    )


def weight_gradient(image: Tensor, gradient: Tensor) -> Tensor:
    """Gradient (D, C, 3, 3) by the weight of a 3x3 convolution, from its image (B, C, H, W) and that by its output.

    Both become long tables of cells with a ring of zeros about each image, in which a neighbour is always a fixed
    number of rows away; each of the nine positions of the weight is then one product of the tables, shifted.
    """
    cells, slopes = _ringed(image), _ringed(gradient)
    stride = image.shape[3] + 2
    first, last = stride + 1, len(cells) - stride - 1  # beyond them lies only the ring
    step = max(stride, _BLOCK_ELEMENTS // (cells.shape[1] + slopes.shape[1]))
    sums = image.new_zeros(len(OFFSETS), slopes.shape[1], cells.shape[1])
    for start in range(first, last, step):
        end = min(start + step, last)
        slope = slopes[start:end].t()
        for total, (dy, dx) in zip(sums, OFFSETS, strict=True):
            shift = dy * stride + dx
            total.addmm_(slope, cells[start + shift : end + shift])
    return sums.permute(1, 2, 0).unflatten(2, (3, 3)).contiguous()


def _ringed(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B (H + 2) (W + 2), C)."""
    batch, channels, height, width = features.shape
    table = features.new_empty(batch, height + 2, width + 2, channels)
    for ring in (table[:, 0], table[:, -1], table[:, :, 0], table[:, :, -1]):
        ring.zero_()
    table[:, 1:-1, 1:-1] = features.permute(0, 2, 3, 1)
    return table.flatten(0, 2)
