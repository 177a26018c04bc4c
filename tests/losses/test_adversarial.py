"""Adversarial losses against their definitions, pair by pair."""

import pytest
import torch
from torch import Tensor, nn

from ttsr.losses.adversarial import discriminator_loss, generator_loss
from ttsr.models.discriminator import Discriminator

KINDS = ("bce", "vanilla", "lsgan", "hinge", "wgan", "wgan-gp", "ragan", "rsgan")


class Ramp(nn.Module):
    """Logit w * sum over the image of x^2 / 2: its gradient by x is w x, known without any backward pass."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.double))

    def forward(self, image: Tensor) -> Tensor:
        return self.weight * image.square().flatten(1).sum(1, keepdim=True) / 2


def pairs(batch: int = 3, size: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sr, hr = torch.rand(2, batch, 3, size, size, dtype=torch.double, generator=generator)
    return sr, hr, torch.rand(batch, dtype=torch.double, generator=generator)


def logits(network: nn.Module, image: Tensor) -> list[Tensor]:
    return [network(2 * one[None] - 1)[0, 0] for one in image]


def small() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(6, 2).double()


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def test_bce_is_the_sum_of_both_cross_entropies():
    network, (sr, hr, mixture) = small(), pairs()
    loss, metrics = discriminator_loss("bce", network, sr, hr, mixture)
    real, fake = logits(network, hr), logits(network, sr)
    on_real = mean([-torch.sigmoid(d).log() for d in real])
    on_fake = mean([-(1 - torch.sigmoid(d)).log() for d in fake])
    torch.testing.assert_close(loss, on_real + on_fake)
    assert set(metrics) == {"d_real", "d_fake"}
    torch.testing.assert_close(metrics["d_real"], mean(real).detach())
    torch.testing.assert_close(metrics["d_fake"], mean(fake).detach())
    torch.testing.assert_close(
        generator_loss("bce", network, sr, hr), mean([-torch.sigmoid(d).log() for d in logits(network, sr)])
    )


@pytest.mark.parametrize(
    ("kind", "on_real", "on_fake", "of_generator"),
    [
        ("vanilla", lambda d: -torch.sigmoid(d).log(), lambda d: -torch.sigmoid(-d).log(), None),
        ("lsgan", lambda d: (d - 1) ** 2, lambda d: d**2, lambda d: (d - 1) ** 2),
        ("hinge", lambda d: max(1 - d, 0 * d), lambda d: max(1 + d, 0 * d), lambda d: -d),
        ("wgan", lambda d: -d, lambda d: d, lambda d: -d),
    ],
)
def test_the_other_kinds_are_their_definitions(kind, on_real, on_fake, of_generator):
    network, (sr, hr, mixture) = small(), pairs()
    # Logits on both sides of every kink.
    with torch.no_grad():
        weight, bias = network.get_parameter("last.2.weight"), network.get_parameter("last.2.bias")
        weight.mul_(2 / torch.stack(logits(network, hr)).std())
        bias.sub_(torch.stack(logits(network, hr)).mean() - 1)
    real, fake = logits(network, hr), logits(network, sr)
    assert min(real) < 1 < max(real)
    loss, metrics = discriminator_loss(kind, network, sr, hr, mixture)
    torch.testing.assert_close(loss, mean([on_real(d) for d in real]) + mean([on_fake(d) for d in fake]))
    assert set(metrics) == {"d_real", "d_fake"}
    expected = mean([(of_generator or on_real)(d) for d in fake])
    torch.testing.assert_close(generator_loss(kind, network, sr, hr), expected)


def test_ragan_compares_each_side_with_the_mean_of_the_other():
    network, (sr, hr, mixture) = small(), pairs()
    real, fake = logits(network, hr), logits(network, sr)

    def loss(first: list[Tensor], second: list[Tensor]) -> Tensor:
        on_first = [-torch.sigmoid(d - mean(second)).log() for d in first]
        return mean(on_first) + mean([-(1 - torch.sigmoid(d - mean(first))).log() for d in second])

    of_discriminator, metrics = discriminator_loss("ragan", network, sr, hr, mixture)
    torch.testing.assert_close(of_discriminator, loss(real, fake))
    torch.testing.assert_close(generator_loss("ragan", network, sr, hr), loss(fake, real))
    assert set(metrics) == {"d_real", "d_fake"}
    # A shift of all logits, which would fool the others, changes nothing.
    with torch.no_grad():
        network.get_parameter("last.2.bias").add_(5)
    torch.testing.assert_close(generator_loss("ragan", network, sr, hr), loss(fake, real))


def test_rsgan_compares_each_picture_with_its_own_truth():
    network, (sr, hr, mixture) = small(), pairs()
    real, fake = logits(network, hr), logits(network, sr)
    both = list(zip(real, fake, strict=True))
    of_discriminator, metrics = discriminator_loss("rsgan", network, sr, hr, mixture)
    torch.testing.assert_close(of_discriminator, mean([-torch.sigmoid(r - f).log() for r, f in both]))
    of_generator = mean([-torch.sigmoid(f - r).log() for r, f in both])
    torch.testing.assert_close(generator_loss("rsgan", network, sr, hr), of_generator)
    assert set(metrics) == {"d_real", "d_fake"}


@pytest.mark.parametrize("kind", KINDS)
def test_patches_are_samples_like_pictures(kind):
    """A network of many logits gives the loss that each of its logits gives, averaged; the penalty aside."""
    torch.manual_seed(0)
    network, (sr, hr, mixture) = torch.nn.Conv2d(3, 1, 1).double(), pairs()
    of_generator = generator_loss(kind, network, sr, hr)
    loss, metrics = discriminator_loss(kind, network, sr, hr, mixture)

    def patches(images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).reshape(-1, 3, 1, 1)

    torch.testing.assert_close(of_generator, generator_loss(kind, network, patches(sr), patches(hr)))
    each, by_each = discriminator_loss(kind, network, patches(sr), patches(hr), mixture.repeat_interleave(36))
    penalties = [metric.get("penalty", 0) for metric in (metrics, by_each)]
    torch.testing.assert_close(loss - penalties[0], each - penalties[1])


def test_wgan_gp_is_its_definition():
    network, (sr, hr, mixture) = small(), pairs()
    loss, metrics = discriminator_loss("wgan-gp", network, sr, hr, mixture)
    terms = []
    for a, b, e in zip(hr, sr, mixture, strict=True):
        between = (e * (2 * a - 1) + (1 - e) * (2 * b - 1))[None].requires_grad_()
        (gradient,) = torch.autograd.grad(network(between).sum(), between)
        terms.append(10 * (gradient.square().sum().sqrt() - 1) ** 2)
    torch.testing.assert_close(metrics["penalty"], mean(terms))
    difference = mean(logits(network, sr)) - mean(logits(network, hr))
    torch.testing.assert_close(loss, difference + mean(terms))
    torch.testing.assert_close(generator_loss("wgan-gp", network, sr, hr), -mean(logits(network, sr)))
    assert not any(metric.requires_grad for metric in metrics.values())


def test_the_penalty_is_differentiated_through_its_gradient():
    """d/dw of 10 mean (w |x| - 1)^2 is 20 mean (w |x| - 1) |x|, and of the difference of logits what they say."""
    network, (sr, hr, mixture) = Ramp(0.3), pairs()
    discriminator_loss("wgan-gp", network, sr, hr, mixture)[0].backward()
    e = mixture[:, None, None, None]
    length = (e * (2 * hr - 1) + (1 - e) * (2 * sr - 1)).flatten(1).norm(dim=1)
    halves = [(2 * image - 1).square().flatten(1).sum(1) / 2 for image in (sr, hr)]
    expected = (halves[0] - halves[1]).mean() + (20 * (0.3 * length - 1) * length).mean()
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_each_side_trains_itself_alone(kind):
    network, (sr, hr, mixture) = small(), pairs()
    sr.requires_grad_()
    generator_loss(kind, network, sr, hr).backward()
    assert all(p.grad is None for p in network.parameters())
    assert sr.grad is not None and sr.grad.abs().sum() > 0
    sr.grad = None
    discriminator_loss(kind, network, sr, hr, mixture)[0].backward()
    assert sr.grad is None
    for name, parameter in network.named_parameters():
        # Moving both logits alike is no progress to WGAN, nor to hinge within its margins: only there has the last
        # bias nothing to learn.
        if name != "last.2.bias" or kind in ("bce", "vanilla", "lsgan"):
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_the_mean_of_its_pairs(kind):
    network, (sr, hr, mixture) = small(), pairs(4)
    whole = discriminator_loss(kind, network, sr, hr, mixture)[0]
    halves = [discriminator_loss(kind, network, sr[i], hr[i], mixture[i])[0] for i in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, mean(halves))


def test_in_16_bits_the_penalty_is_that_of_32():
    torch.manual_seed(0)
    network = Discriminator(6, 2)
    sr, hr, mixture = (x.float() for x in pairs())
    expected = discriminator_loss("wgan-gp", network, sr, hr, mixture)[1]["penalty"]
    with torch.autocast("cpu", torch.bfloat16):
        loss, metrics = discriminator_loss("wgan-gp", network, sr.bfloat16(), hr, mixture)
        image = (sr.bfloat16().float(), hr, mixture)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(metrics["penalty"], discriminator_loss("wgan-gp", network, *image)[1]["penalty"])
    torch.testing.assert_close(metrics["penalty"], expected, rtol=1e-2, atol=0)
