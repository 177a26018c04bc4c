"""What every matcher needs: its masks checked, and the relevance of its matches with gradients (equation 3)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ttsr.errors import UserError
from ttsr.models.correspondence.patches import OFFSETS, centre_rows, padded_table, patch_norm, split_references
from ttsr.models.correspondence.types import Grid


def checked_masks(masks: Sequence[Tensor | None] | None, keys: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """A mask or None for each reference.

    Raises:
        UserError: a mask is not bool (B, H, W) like its keys, or of some item every key is masked.
    """
    masks = [None] * len(keys) if masks is None else masks
    left = []
    for key, mask in zip(keys, masks, strict=True):
        if mask is None:
            left.append(None)
        elif mask.dtype != torch.bool or mask.shape != (key.shape[0], *key.shape[2:]):
            raise UserError(f"a mask of {mask.dtype} {tuple(mask.shape)} for keys {tuple(key.shape)}")
        else:
            left.append(mask.flatten(1).any(1))
    if keys and None not in left and not torch.stack([item for item in left if item is not None]).any(0).all():
        raise UserError("every key of an item is masked: nothing is left to match")
    return masks


def relevance_at(queries: Tensor, keys: Sequence[Tensor], index: Tensor) -> Tensor:
    """The relevance S (B, 1, h, w) of given matches, with gradients to queries and keys.

    Shapes as of a `Matcher`; the index itself carries no gradient. No patches are unfolded, forward or backward.
    """
    batch, _, height, width = queries.shape
    grid: Grid = (height, width)
    cells = torch.arange(height * width, device=index.device)
    query_table = padded_table(queries)
    query_rows = _batched(centre_rows(cells, grid).expand(batch, -1), query_table)
    total = queries.new_zeros(batch * height * width)
    grids: list[Grid] = [(key.shape[2], key.shape[3]) for key in keys]
    for number, inside, local in split_references(index.flatten(1), grids):
        key_table = padded_table(keys[number])
        key_rows = _batched(centre_rows(local, grids[number]), key_table)
        product = _PatchProduct.apply(
            query_table.flatten(0, 1), key_table.flatten(0, 1), query_rows, width + 2, key_rows, grids[number][1] + 2
        )
        norm = patch_norm(keys[number]).flatten(1).gather(1, local).flatten()
        total = total + torch.where(inside.flatten(), product / norm, 0)
    return (total.view(batch, height, width) / patch_norm(queries))[:, None]


def _batched(rows: Tensor, table: Tensor) -> Tensor:
    """(B, P) rows of each item's own table to flat (B P,) rows of the items' tables laid end to end."""
    offset = torch.arange(rows.shape[0], device=rows.device)[:, None] * table.shape[1]
    return (rows + offset).flatten()


class _PatchProduct(torch.autograd.Function):
    """Inner products of 3x3 patches, a gathered cell at a time: nothing but the tables is kept for the backward pass.

    Inputs: tables q (Nq, C) and k (Nk, C), centre rows of each (P,), and their strides. Output (P,).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, q_rows: Tensor, q_stride: int, k_rows: Tensor, k_stride: int) -> Tensor:
        ctx.save_for_backward(q, k, q_rows, k_rows)
        ctx.strides = q_stride, k_stride
        total = q.new_zeros(len(q_rows))
        for dy, dx in OFFSETS:
            a = q.index_select(0, q_rows + (dy * q_stride + dx))
            total += (a * k.index_select(0, k_rows + (dy * k_stride + dx))).sum(1)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, q_rows, k_rows = ctx.saved_tensors
        q_stride, k_stride = ctx.strides
        weight = gradients[0][:, None]
        to_q, to_k = torch.zeros_like(q), torch.zeros_like(k)
        for dy, dx in OFFSETS:
            at_q, at_k = q_rows + (dy * q_stride + dx), k_rows + (dy * k_stride + dx)
            to_q.index_add_(0, at_q, weight * k.index_select(0, at_k))
            to_k.index_add_(0, at_k, weight * q.index_select(0, at_q))
        return to_q, to_k, None, None, None, None
