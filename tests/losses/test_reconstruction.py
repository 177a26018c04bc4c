import torch

from ttsr.losses.reconstruction import reconstruction_loss


def test_is_the_mean_distance_in_minus_one_to_one():
    sr, hr = torch.rand(2, 2, 3, 5, 7, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    expected = ((2 * sr - 1) - (2 * hr - 1)).abs().sum() / (2 * 3 * 5 * 7)
    torch.testing.assert_close(reconstruction_loss(sr, hr), expected)
