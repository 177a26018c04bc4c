"""The reconstruction loss against equation 10 and MMagic's formulas."""

import pytest
import torch

from ttsr.losses.reconstruction import reconstruction_loss


@pytest.mark.parametrize(
    "kind, distance",
    [("l1", lambda d: abs(d)), ("mse", lambda d: d**2), ("charbonnier", lambda d: (d**2 + 0.01) ** 0.5)],
)
def test_is_the_mean_distance_in_minus_one_to_one(kind, distance):
    sr, hr = torch.rand(2, 2, 3, 5, 7, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    differences = ((2 * sr - 1) - (2 * hr - 1)).flatten().tolist()
    expected = sum(distance(d) for d in differences) / (2 * 3 * 5 * 7)
    assert reconstruction_loss(sr, hr, kind, 0.01).item() == pytest.approx(expected, rel=1e-12)


def test_l1_is_the_default():
    sr, hr = torch.rand(2, 2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(reconstruction_loss(sr, hr), reconstruction_loss(sr, hr, "l1"))


def test_charbonnier_has_a_gradient_where_the_images_agree():
    sr = torch.full((1, 3, 2, 2), 0.5).requires_grad_()
    reconstruction_loss(sr, sr.detach(), "charbonnier").backward()
    assert sr.grad is not None and sr.grad.isfinite().all()
