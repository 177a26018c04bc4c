"""The contrastive term against its definition, patch by patch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.losses.contrastive import contrastive_loss


def textbook(queries: Tensor, keys: Tensor, cells: Tensor, to_ref: Tensor, known: Tensor) -> Tensor:
    """One anchor at a time, with unfolded patches."""
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
    return torch.stack(losses).mean()


def setting() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(3, 4, 6, 5, generator=generator).relu()
    keys = torch.randn(3, 4, 5, 7, generator=generator).relu()
    to_ref = torch.eye(3).repeat(3, 1, 1)
    to_ref[0] = torch.tensor([[0.9, 0.2, 1.0], [-0.1, 0.8, 2.0], [0.001, 0.002, 1]])
    to_ref[1, 0, 2] = 9.0  # some places fall outside
    return queries, keys, to_ref, torch.tensor([True, True, False])


def test_equals_its_definition():
    queries, keys, to_ref, known = setting()
    loss, right = contrastive_loss(queries, keys, to_ref, known, torch.Generator().manual_seed(1), num_anchors=6)
    cells = torch.randint(30, (3, 6), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss, textbook(queries, keys, cells, to_ref, known))
    assert 0 <= right <= 1


def test_equal_features_are_right_and_cost_little():
    queries = torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(2)).relu()
    same, known = torch.eye(3).repeat(2, 1, 1), torch.tensor([True, True])
    loss, right = contrastive_loss(queries, queries, same, known, torch.Generator().manual_seed(3))
    assert right == 1 and loss < 0.1


def test_nothing_known_is_zero_and_gradients_flow_otherwise():
    queries, keys, to_ref, known = setting()
    generator = torch.Generator().manual_seed(4)
    assert contrastive_loss(queries, keys, to_ref, torch.zeros(3, dtype=torch.bool), generator)[0] == 0
    queries.requires_grad_()
    keys.requires_grad_()
    contrastive_loss(queries, keys, to_ref, known, generator)[0].backward()
    for leaf in (queries, keys):
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all() and leaf.grad.abs().sum() > 0
