"""Adversarial losses: WGAN-GP (equation 11, the authors), BCE (MMagic), MMagic's others, and relativistic ones.

Images are in [0, 1], and scaled to [-1, 1] for the discriminator, as published. Every term is a mean over the pairs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ttsr.losses.kinds import AdversarialKind
from ttsr.system.precision import at_least_float32

# Weight of the gradient penalty, lambda of Gulrajani et al. (2017).
PENALTY_WEIGHT = 10.0


def discriminator_loss(
    kind: AdversarialKind, discriminator: nn.Module, sr: Tensor, hr: Tensor, mixture: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The discriminator's loss. SR carries no gradient.

    `bce`, or `vanilla`: cross-entropy of HR against 1 plus that of SR against 0, not halved.
    `lsgan`: mean (D(HR) - 1)^2 + D(SR)^2. `hinge`: mean max(0, 1 - D(HR)) + max(0, 1 + D(SR)).
    `ragan`: cross-entropy of D(HR) - mean D(SR) against 1 plus that of D(SR) - mean D(HR) against 0, not halved, with
    means over the pairs at hand (relativistic average GAN, Jolicoeur-Martineau 2019).
    `rsgan`: cross-entropy of D(HR) - D(SR) against 1 (relativistic standard GAN, the same paper). Each SR is compared
    with its own HR, so that what the picture shows cancels out.
    `wgan`: mean D(SR) - D(HR). `wgan-gp`: the same, plus 10 times the mean of (|gradient of D at x| - 1)^2,
    x = e HR + (1 - e) SR.

    Args:
        kind: one of them.
        discriminator: (B, 3, H, W) in [-1, 1] to logits, one or more for each image.
        sr: (B, 3, H, W) in [0, 1], as `hr`.
        hr: the ground truth.
        mixture: (B,) in [0, 1], the e of each pair; only `wgan-gp` uses it.

    Returns:
        The loss, and detached metrics: the mean logits `d_real` and `d_fake`, and for `wgan-gp` the weighted `penalty`.
    """
    real, fake = _scaled(hr), _scaled(sr.detach())
    on_real, on_fake = at_least_float32(discriminator(torch.cat([real, fake]))).chunk(2)
    metrics = {"d_real": on_real.detach().mean(), "d_fake": on_fake.detach().mean()}
    if kind == "hinge":
        return F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean(), metrics
    if kind == "ragan":
        return _relativistic(on_real, on_fake), metrics
    if kind == "rsgan":
        return _distance("bce", on_real - on_fake, 1.0), metrics
    if kind == "wgan":
        return (on_fake - on_real).mean(), metrics
    if kind != "wgan-gp":
        return _distance(kind, on_real, 1.0) + _distance(kind, on_fake, 0.0), metrics
    penalty = PENALTY_WEIGHT * _gradient_penalty(discriminator, real, fake, mixture)
    return (on_fake - on_real).mean() + penalty, metrics | {"penalty": penalty.detach()}


def generator_loss(kind: AdversarialKind, discriminator: nn.Module, sr: Tensor, hr: Tensor) -> Tensor:
    """The generator's loss, low where SR looks real; the discriminator gets no gradient.

    `bce`, `vanilla`: cross-entropy of SR against 1. `lsgan`: mean (D(SR) - 1)^2. `ragan`, `rsgan`: the
    discriminator's loss with SR and HR exchanged. The others: mean -D(SR).

    Args:
        kind: one of them.
        discriminator: (B, 3, H, W) in [-1, 1] to logits.
        sr: (B, 3, H, W) in [0, 1], as `hr`.
        hr: the ground truth, which only the relativistic ones use.
    """
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    if kind in ("ragan", "rsgan"):
        both = at_least_float32(functional_call(discriminator, frozen, (torch.cat([_scaled(hr), _scaled(sr)]),)))
        on_real, on_fake = both.chunk(2)
        return _relativistic(on_fake, on_real) if kind == "ragan" else _distance("bce", on_fake - on_real, 1.0)
    logits = at_least_float32(functional_call(discriminator, frozen, (_scaled(sr),)))
    return _distance(kind, logits, 1.0) if kind in ("bce", "vanilla", "lsgan") else -logits.mean()


def _scaled(image: Tensor) -> Tensor:
    return 2 * at_least_float32(image) - 1


def _relativistic(on_first: Tensor, on_second: Tensor) -> Tensor:
    """Low where the first images' logits lie above the second's mean, and the second's below the first's mean."""
    first, second = on_first - on_second.mean(), on_second - on_first.mean()
    return _distance("bce", first, 1.0) + _distance("bce", second, 0.0)


def _distance(kind: AdversarialKind, logits: Tensor, target: float) -> Tensor:
    """Mean squared distance from the target (`lsgan`), or cross-entropy."""
    measure = F.mse_loss if kind == "lsgan" else F.binary_cross_entropy_with_logits
    return measure(logits, torch.full_like(logits, target))


def _gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor, mixture: Tensor) -> Tensor:
    share = mixture.to(real)[:, None, None, None]
    # In 32 bits, whatever the precision of the rest: this gradient is differentiated once more.
    with torch.autocast(real.device.type, enabled=False):
        between = (share * real + (1 - share) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
