"""The contrastive term against its definition, patch by patch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.losses.contrastive import contrastive_loss


def textbook(queries: Tensor, keys: Tensor, cells: Tensor, to_ref: Tensor, known: Tensor) -> Tensor:
    """One anchor at a time, with unfolded patches, among the keys of all pairs."""
    q = F.normalize(F.unfold(queries, 3, padding=1), dim=1)
    k = F.normalize(F.unfold(keys, 3, padding=1), dim=1)
    width, (key_height, key_width) = queries.shape[3], keys.shape[2:]
    losses = []
    for item in range(len(queries)):
        for cell in cells[item].tolist():
            x, y, z = (to_ref[item] @ torch.tensor([4.0 * (cell % width) + 2, 4.0 * (cell // width) + 2, 1])).tolist()
            column, row = int(x / z // 4), int(y / z // 4)
            if not known[item] or not (0 <= column < key_width and 0 <= row < key_height):
                continue
            logits, target = [], -1
            for other in range(len(keys)):
                for r in range(key_height):
                    for c in range(key_width):
                        if other == item and (r, c) == (row, column):
                            target = len(logits)
                        elif other == item and abs(r - row) <= 2 and abs(c - column) <= 2:
                            continue
                        logits.append(q[item, :, cell] @ k[other, :, r * key_width + c] / 0.05)
            losses.append(F.cross_entropy(torch.stack(logits)[None], torch.tensor([target])))
    return torch.stack(losses).sum() / cells.numel() if losses else torch.zeros(())


def setting() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(3, 4, 6, 5, generator=generator).relu()
    keys = torch.randn(3, 4, 5, 7, generator=generator).relu()
    to_ref = torch.eye(3).repeat(3, 1, 1)
    to_ref[0] = torch.tensor([[0.9, 0.2, 1.0], [-0.1, 0.8, 2.0], [0.001, 0.002, 1]])
    to_ref[1, 0, 2] = 9.0  # some places fall outside
    return queries, keys, to_ref, torch.tensor([True, True, False])


def anchors(batch: int, number: int, cells: int) -> Tensor:
    return torch.randint(cells, (batch, number), generator=torch.Generator().manual_seed(1))


def test_equals_its_definition():
    queries, keys, to_ref, known = setting()
    cells = anchors(3, 6, 30)
    loss, right = contrastive_loss(queries, keys, to_ref, known, cells)
    torch.testing.assert_close(loss, textbook(queries, keys, cells, to_ref, known))
    assert 0 <= right <= 1


@pytest.mark.parametrize("group", [1, 2])
def test_negatives_come_from_the_group_alone(group):
    queries, keys, to_ref, known = setting()
    cells = anchors(3, 6, 30)
    loss, _ = contrastive_loss(queries, keys, to_ref, known, cells, group=group)
    parts = [slice(first, first + group) for first in range(0, 3, group)]
    expected = [textbook(queries[i], keys[i], cells[i], to_ref[i], known[i]) * cells[i].numel() for i in parts]
    torch.testing.assert_close(loss, torch.stack(expected).sum() / 18)


def test_a_batch_is_the_mean_of_its_parts_however_many_of_them_are_usable():
    queries, keys, to_ref, known = (torch.cat([part, part.flip(0)]) for part in setting())
    queries.requires_grad_()
    cells = anchors(6, 5, 30)

    def part(start: int, end: int) -> tuple[Tensor, Tensor]:
        i = slice(start, end)
        return contrastive_loss(queries[i], keys[i], to_ref[i], known[i], cells[i], group=2)

    whole = part(0, 6)
    (expected,) = torch.autograd.grad(whole[0], queries)
    two, four = part(0, 2), part(2, 6)
    for figure, small, large in zip(whole, two, four, strict=True):
        torch.testing.assert_close(figure, (2 * small + 4 * large) / 6)
    (ours,) = torch.autograd.grad((2 * two[0] + 4 * four[0]) / 6, queries)
    torch.testing.assert_close(ours, expected)


def test_equal_features_are_right_and_cost_little():
    queries = torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(2)).relu()
    same, cells = torch.eye(3).repeat(2, 1, 1), anchors(2, 32, 36)
    loss, right = contrastive_loss(queries, queries, same, torch.tensor([True, True]), cells)
    assert right == 1 and loss < 0.1
    half, right = contrastive_loss(queries, queries, same, torch.tensor([True, False]), cells)
    assert right == 0.5 and half < loss


def test_nothing_known_is_zero_and_gradients_flow_otherwise():
    queries, keys, to_ref, known = setting()
    queries.requires_grad_()
    keys.requires_grad_()
    cells = anchors(3, 6, 30)
    to_ref[2] = 0  # a homography that maps to nowhere
    contrastive_loss(queries, keys, to_ref, known, cells)[0].backward()
    for leaf in (queries, keys):
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all() and leaf.grad.abs().sum() > 0
        leaf.grad = None
    nothing, right = contrastive_loss(queries, keys, to_ref, torch.zeros(3, dtype=torch.bool), cells)
    assert nothing == 0 and right == 0
    nothing.backward()
    for leaf in (queries, keys):
        assert leaf.grad is not None and torch.equal(leaf.grad, torch.zeros_like(leaf))


def test_16_bits_are_compared_in_32():
    queries, keys, to_ref, known = setting()
    queries, keys, cells = queries.bfloat16(), keys.bfloat16(), anchors(3, 6, 30)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = contrastive_loss(queries, keys, to_ref, known, cells)
    torch.testing.assert_close(loss, textbook(queries.float(), keys.float(), cells, to_ref, known))
