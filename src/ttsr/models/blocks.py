"""Convolution blocks that several parts of the network share."""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ttsr.models.convolution import Conv2d, Conv3x3, convolve
from ttsr.progress import check_cancelled

# Cells of a block of bicubic interpolation, along a side.
_BICUBIC_BLOCK = 32


def relu(x: Tensor) -> Tensor:
    """ReLU; without gradients in the memory of `x`, which must be a fresh result."""
    return F.relu(x, inplace=not torch.is_grad_enabled())


def added(x: Tensor, fresh: Tensor) -> Tensor:
    """The sum; without gradients in the memory of `fresh`."""
    return x + fresh if torch.is_grad_enabled() or x.dtype != fresh.dtype else fresh.add_(x)


class ResidualBlock(nn.Module):
    """x + scale * conv(relu(conv(x))), without normalisation. (B, C, H, W) to the same shape."""

    def __init__(self, channels: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = Conv3x3(channels, channels)
        self.conv2 = Conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        residual = self.conv2(relu(self.conv1(x)))
        return added(x, residual if self.scale == 1 else self.scale * residual)


class ResidualChain(nn.Module):
    """`num_blocks` residual blocks and a closing convolution, the whole bridged by a skip from `start`.

    Attributes:
        checkpointed: keep for the backward pass only the inputs of about sqrt(`num_blocks`) runs of blocks, and compute
            the rest of a run again there.
    """

    def __init__(self, channels: int, num_blocks: int, scale: float = 1.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels, scale) for _ in range(num_blocks))
        self.tail = Conv3x3(channels, channels)
        self.checkpointed = False

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        """Both (B, C, H, W)."""
        blocks = list(self.blocks)
        if self.checkpointed and torch.is_grad_enabled():
            size = max(1, math.isqrt(len(blocks)))
            for first in range(0, len(blocks), size):
                x = checkpoint(_in_turn, blocks[first : first + size], x, use_reentrant=False)
        else:
            x = _in_turn(blocks, x)
        return added(start, self.tail(x))


def _in_turn(blocks: Sequence[nn.Module], x: Tensor) -> Tensor:
    for block in blocks:
        check_cancelled()
        x = block(x)
    return x


class PixelShuffleUp(nn.Module):
    """Twice the size: convolution to four times the channels that are wanted, pixel shuffle, ReLU."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, 4 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, 2H, 2W)."""
        return relu(F.pixel_shuffle(self.conv(x), 2))


class BicubicUp(nn.Module):
    """`factor` times the size: bicubic, 1x1 convolution, ReLU.

    The convolution runs on the small grid. It is the same map: bicubic weights sum to one and act on each channel
    alike, so that a 1x1 convolution, bias and all, commutes with them.
    """

    def __init__(self, channels: int, out_channels: int, factor: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, out_channels, 1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, factor H, factor W)."""
        return relu(bicubic_up(self.conv(x), self.factor))


def bicubic_up(x: Tensor, factor: int) -> Tensor:
    """(B, C, H, W) to (B, C, factor H, factor W) by bicubic interpolation, pixel centres aligned, not clamped."""
    if not torch.is_grad_enabled():
        if torch.compiler.is_compiling():
            return _bicubic_by_phases(x, factor)
        if x.device.type == "cpu" and x.element_size() < 4:
            return _bicubic_in_blocks(x, factor)
        return F.interpolate(x, scale_factor=factor, mode="bicubic", align_corners=False)
    # The same map as two matrix products: on training crops forward and backward are three times faster.
    batch, channels, height, width = x.shape
    rows, columns = _bicubic_matrix(height, factor, x), _bicubic_matrix(width, factor, x)
    wide = columns @ x.permute(0, 2, 3, 1)  # B, H, factor W, C
    tall = rows @ wide.reshape(batch, height, -1)
    return tall.view(batch, factor * height, factor * width, channels).permute(0, 3, 1, 2)


def _bicubic_in_blocks(x: Tensor, factor: int) -> Tensor:
    """The same as products for each block of columns and of rows: in 16 bits ten times faster than PyTorch's own."""
    batch, channels, height, width = x.shape
    # The weights of a block, two more cells on either side, are the same everywhere.
    weights = _bicubic_matrix(_BICUBIC_BLOCK + 4, factor, x)[2 * factor : -2 * factor]
    cells = F.pad(x, (2, 2, 2, 2), mode="replicate").permute(0, 2, 3, 1).contiguous()
    wide = x.new_empty(batch, height + 4, factor * width, channels)
    for start in range(0, width, _BICUBIC_BLOCK):
        count = min(_BICUBIC_BLOCK, width - start)
        block = weights[: factor * count, : count + 4] @ cells[:, :, start : start + count + 4]
        wide[:, :, factor * start : factor * (start + count)] = block
    wide = wide.flatten(2)
    tall = x.new_empty(batch, factor * height, wide.shape[2])
    for start in range(0, height, _BICUBIC_BLOCK):
        count = min(_BICUBIC_BLOCK, height - start)
        for image, out in zip(wide, tall, strict=True):
            block = image[start : start + count + 4]
            torch.mm(weights[: factor * count, : count + 4], block, out=out[factor * start : factor * (start + count)])
    return tall.view(batch, factor * height, factor * width, channels).permute(0, 3, 1, 2)


def _bicubic_by_phases(x: Tensor, factor: int) -> Tensor:
    """The same as one convolution and a pixel shuffle, for graphs: onnxruntime is nine times faster with it."""
    taps = torch.tensor(bicubic_taps(factor), dtype=x.dtype, device=x.device)
    kernels = (taps[:, None, :, None] * taps[None, :, None, :]).reshape(factor**2, 1, 5, 5)
    planes = F.pad(x, (2, 2, 2, 2), mode="replicate").flatten(0, 1)[:, None]
    return F.pixel_shuffle(F.conv2d(planes, kernels), factor).view(*x.shape[:2], factor * x.shape[2], -1)


def bicubic_taps(factor: int) -> list[list[float]]:
    """For each of the `factor` pixels that a pixel becomes, the weights of the five pixels about it (a = -0.75)."""
    rows = []
    for phase in range(factor):
        centre = (phase + 0.5) / factor - 0.5
        apart = [abs(tap - centre) for tap in range(-2, 3)]
        near = [(1.25 * d - 2.25) * d * d + 1 for d in apart]
        far = [((-0.75 * d + 3.75) * d - 6) * d + 3 for d in apart]
        rows.append([n if d <= 1 else f if d < 2 else 0.0 for d, n, f in zip(apart, near, far, strict=True)])
    return rows


def _bicubic_matrix(size: int, factor: int, like: Tensor) -> Tensor:
    """(factor size, size): what bicubic interpolation does along one axis."""
    identity = torch.eye(size, device=like.device)[None, None]
    matrix = F.interpolate(identity, size=(factor * size, size), mode="bicubic", align_corners=False)
    return matrix[0, 0].to(like.dtype)


def conv_of_parts(conv: nn.Conv2d, *parts: Tensor) -> Tensor:
    """The 3x3 convolution of the parts' concatenation along channels, without holding the concatenation.

    Where gradients are wanted the concatenation is made: one large convolution trains faster than several.
    """
    if torch.is_grad_enabled():
        return conv(torch.cat(parts, 1))
    out, first = None, 0
    for part in parts:
        weight = conv.weight[:, first : first + part.shape[1]]
        first += part.shape[1]
        term = convolve(part, weight, conv.bias if out is None else None, padding=(1, 1))
        out = term if out is None else out.add_(term)
    return cast(Tensor, out)


def initialise_as_mmagic(network: nn.Module) -> None:
    """Draw the weights that MMagic draws differently from PyTorch; the others stay.

    Convolutions of residual blocks: 0.1 times Kaiming's normal distribution by fan-in; those of up-sampling: the same
    without the factor; all with zero bias. As in MMagic, residual blocks whose `scale` is not 1 keep PyTorch's weights.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ResidualBlock) and module.scale == 1:
                convolutions, factor = (module.conv1, module.conv2), 0.1
            elif isinstance(module, PixelShuffleUp):
                convolutions, factor = (module.conv,), 1.0
            else:
                continue
            for conv in convolutions:
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu").mul_(factor)
                nn.init.zeros_(cast(Tensor, conv.bias))


def scale_residuals(network: nn.Module, factor: float) -> None:
    """Multiply the last convolution of every residual block, so that a fresh deep network starts near the identity."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.mul_(factor)


def unscaled_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict of the same network with a `scale` of 1 in every residual block."""
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, ResidualBlock) and module.scale != 1:
            for kind in ("weight", "bias"):
                state[f"{name}.conv2.{kind}"] = module.scale * state[f"{name}.conv2.{kind}"]
    return state
