"""Sections of a recipe: losses, optimizers, schedule and engine. Free of torch.

The `Attributes:` sections are what `ttsr recipes NAME` and `ttsr train --help` print.
"""

import math
from dataclasses import dataclass
from typing import Literal

from ttsr.losses.kinds import AdversarialKind, Criterion, RecKind, TransferalAttention, TransferalLevels
from ttsr.models.vgg_layers import LAYERS, layer_name
from ttsr.options import Precision

_MOST_ANCHORS = 4096
_MOST_CHANNELS = 512


def require(holds: bool, rule: str, options: object) -> None:
    """Raise `ValueError` with the rule and the name of the options' class unless it holds."""
    if not holds:
        raise ValueError(f"{type(options).__name__}: {rule}")


@dataclass(frozen=True)
class ExtractorOptions:
    """How the texture extractor is initialised.

    Attributes:
        start: `vgg19` (ImageNet's, as in the paper), `random`, `contrastive` (random, then trained alone by the
            contrastive loss for the first `schedule.contrastive_steps`), or the extractor of other weights (a name,
            file or URL).
    """

    start: str = "random"


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses, 0 for none, and their variants.

    Attributes:
        clamp: clamp SR to [-1, 1] before all losses, as both public codes do; a clamped pixel has no gradient.
        rec: weight of the reconstruction loss, between SR and HR in [-1, 1] (equation 10).
        base: weight of the reconstruction loss of the result without a reference, so that it stays as good; needs
            `model.trunk_channels`.
        perceptual: weight of the perceptual loss (equation 12, first term).
        style: weight of the style loss, the perceptual loss of Gram matrices; not in the paper.
        transferal: weight of the transferal perceptual loss (equation 12, second term).
        adversarial: weight of the generator's adversarial loss (equation 11); 0 trains without a discriminator.
        contrastive: weight of the contrastive loss, which needs known correspondences (`pairs` = `photos`).
        rec_kind: `l1`, `mse`, or `charbonnier`, sqrt(d^2 + `charbonnier_eps`).
        charbonnier_eps: what `charbonnier` adds under its root.
        perceptual_features: `vgg19`, or `extractor` (the coarse level of the extractor being trained).
        perceptual_layers: layers of VGG19, by name (conv1_1, relu1_1, ... pool5) or by index in torchvision, as text.
        perceptual_layer_weights: a weight for each layer of the perceptual loss.
        perceptual_kind: `mse` or `l1` between the features.
        style_layers: layers of VGG19 for the style loss; none for those of the perceptual loss, with their weights.
        style_layer_weights: a weight for each layer of the style loss.
        style_kind: `mse` or `l1` between the Gram matrices.
        transferal_levels: `sum` over the three levels (MMagic) or `mean` (the authors).
        transferal_kind: `mse` or `l1` between the textures.
        transferal_attention: weight textures by the relevance S: `none`, by its `sigmoid` (the authors' tpl_use_S), or
            as MMagic's use_attention (`mmagic`: by its sigmoid at the coarse level, by S itself at the others).
        adversarial_kind: `bce` (also called `vanilla`; MMagic), `wgan-gp` (the authors), `lsgan`, `hinge`, `wgan`
            or `ragan` (relativistic average: how much more real HR looks than the mean SR, and SR than the mean HR).
        contrastive_anchors: query cells drawn from each pair for the contrastive loss.
        contrastive_group: consecutive pairs that share their negatives in the contrastive loss.
    """

    clamp: bool = False
    rec: float = 1.0
    base: float = 0.0
    perceptual: float = 0.0
    style: float = 0.0
    transferal: float = 0.0
    adversarial: float = 0.0
    contrastive: float = 0.0
    rec_kind: RecKind = "l1"
    charbonnier_eps: float = 1e-12
    perceptual_features: Literal["vgg19", "extractor"] = "vgg19"
    perceptual_layers: tuple[str, ...] = ("relu5_1",)
    perceptual_layer_weights: tuple[float, ...] = (1.0,)
    perceptual_kind: Criterion = "mse"
    style_layers: tuple[str, ...] = ()
    style_layer_weights: tuple[float, ...] = ()
    style_kind: Criterion = "l1"
    transferal_levels: TransferalLevels = "mean"
    transferal_kind: Criterion = "mse"
    transferal_attention: TransferalAttention = "none"
    adversarial_kind: AdversarialKind = "wgan-gp"
    contrastive_anchors: int = 32
    contrastive_group: int = 4

    def __post_init__(self) -> None:
        weights = (self.rec, self.base, self.perceptual, self.style, self.transferal, self.adversarial)
        layer_weights = (self.contrastive, *self.perceptual_layer_weights, *self.style_layer_weights)
        require(min(*weights, *layer_weights) >= 0, "weights of losses must not be negative", self)
        require(self.charbonnier_eps > 0, "charbonnier_eps must be positive", self)
        for layers, of_layers, name in (
            (self.perceptual_layers, self.perceptual_layer_weights, "perceptual"),
            (self.style_layers, self.style_layer_weights, "style"),
        ):
            require(len(layers) == len(of_layers), f"{name}_layer_weights must be as many as {name}_layers", self)
            names = {layer_name(layer) for layer in layers}
            require(len(names) == len(layers), f"{name}_layers must not hold a layer twice", self)
        require(self.perceptual_layers != (), "perceptual_layers must hold a layer", self)
        of_vgg19 = self.perceptual_layers != ("relu5_1",) or self.style_layers != ()
        rule = "perceptual_layers and style_layers need perceptual_features: vgg19"
        require(self.perceptual_features == "vgg19" or not of_vgg19, rule, self)
        numbers = self.contrastive_anchors, self.contrastive_group
        rule = f"anchors and group must lie in [1, {_MOST_ANCHORS}]"
        require(
            min(numbers) >= 1 and max(numbers) <= _MOST_ANCHORS,
            rule,
            self,
        )

    @property
    def perceptual_terms(self) -> dict[str, float]:
        """Weight of each layer, by name, of the perceptual loss."""
        names = map(layer_name, self.perceptual_layers)
        return dict(zip(names, self.perceptual_layer_weights, strict=True))

    @property
    def style_terms(self) -> dict[str, float]:
        """Weight of each layer, by name, of the style loss."""
        names = map(layer_name, self.style_layers)
        return dict(zip(names, self.style_layer_weights, strict=True)) or self.perceptual_terms

    @property
    def vgg19_layers(self) -> tuple[str, ...]:
        """The layers of VGG19 that the losses use, in its order."""
        if self.perceptual_features != "vgg19":
            return ()
        used = (self.perceptual_terms if self.perceptual else {}) | (self.style_terms if self.style else {})
        return tuple(sorted(used, key=LAYERS.index))


@dataclass(frozen=True)
class OptimizerOptions:
    """Adam, for the network.

    Attributes:
        lr: learning rate of the synthesis network.
        extractor_lr: learning rate of the texture extractor.
        betas: Adam's decay rates of the first and the second moment.
        eps: what Adam adds to the root of the second moment.
        weight_decay: factor of the weights that Adam adds to their gradients (L2, not decoupled).
        clip_norm: largest norm of the gradient, beyond which it is clipped; 0 for no clipping.
    """

    lr: float = 1e-4
    extractor_lr: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 0.0

    def __post_init__(self) -> None:
        require(min(self.lr, self.extractor_lr, self.clip_norm) >= 0, "rates and clip_norm must not be negative", self)
        _require_adam(self)


@dataclass(frozen=True)
class DiscriminatorOptions:
    """The discriminator and its Adam; used if `losses.adversarial` is not 0.

    Attributes:
        kind: `image`, the published one, which judges a crop as a whole, or `patch`, which judges patches of 34x34
            pixels (PatchGAN) and learns faster.
        lr: learning rate of the discriminator.
        betas: Adam's decay rates of the first and the second moment.
        eps: what Adam adds to the root of the second moment.
        weight_decay: factor of the weights that Adam adds to their gradients (L2, not decoupled).
        steps: optimizer steps of the discriminator for each step of the network (MMagic's disc_repeat, GAN_k).
        init_steps: first adversarial steps, which train the discriminator alone (disc_init_steps).
        first: the discriminator's steps come before the network's step (the authors) instead of after it (MMagic).
        channels: channels of its first convolution.
    """

    kind: Literal["image", "patch"] = "image"
    lr: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.9)
    eps: float = 1e-8
    weight_decay: float = 0.0
    steps: int = 2
    init_steps: int = 0
    first: bool = True
    channels: int = 32

    def __post_init__(self) -> None:
        require(self.lr >= 0, "lr must not be negative", self)
        _require_adam(self)
        require(min(self.steps, self.channels) >= 1, "steps and channels must be at least 1", self)
        require(self.channels <= _MOST_CHANNELS, f"channels must be at most {_MOST_CHANNELS}", self)
        require(self.init_steps >= 0, "init_steps must not be negative", self)


def _require_adam(options: OptimizerOptions | DiscriminatorOptions) -> None:
    require(all(0 <= beta < 1 for beta in options.betas), "betas must lie in [0, 1)", options)
    require(min(options.eps, options.weight_decay) >= 0, "eps and weight_decay must not be negative", options)


@dataclass(frozen=True)
class ScheduleOptions:
    """Length of the run, phases of the losses, and the learning rate over time.

    Attributes:
        steps: optimizer steps of the whole run.
        warmup_steps: first steps, over which the learning rate rises linearly.
        halve_at: steps after which the learning rate is multiplied by `gamma` (MultiStepLR's milestones).
        step_size: steps after each of which it is multiplied by `gamma` (StepLR); 0 for none.
        gamma: what the learning rate is multiplied by at `halve_at` and every `step_size`.
        decay_steps: last steps, over which the learning rate falls to zero as a cosine.
        contrastive_steps: first steps, which train the extractor alone by the contrastive loss.
        pixel_steps: step up to which only the reconstruction and contrastive losses are used.
    """

    steps: int = 200_000
    warmup_steps: int = 0
    halve_at: tuple[int, ...] = ()
    step_size: int = 0
    gamma: float = 0.5
    decay_steps: int = 0
    contrastive_steps: int = 0
    pixel_steps: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps must be at least 1", self)
        phases = (self.warmup_steps, self.decay_steps, self.contrastive_steps, self.pixel_steps)
        require(min(*phases, self.step_size, *self.halve_at) >= 0, "numbers of steps must not be negative", self)
        require(0 < self.gamma <= 1, "gamma must lie in (0, 1]", self)

    @property
    def adversarial_start(self) -> int:
        """First step, from 0, that may use the adversarial loss."""
        return max(self.contrastive_steps, self.pixel_steps)

    def rate_factor(self, step: int) -> float:
        """Factor of the learning rate in step `step`, from 0. It depends on the step alone, so resuming is exact."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        drops = sum(step >= milestone for milestone in self.halve_at)
        plateau = self.gamma ** (drops + (step // self.step_size if self.step_size else 0))
        left = self.steps - step
        if left < self.decay_steps:
            return plateau * (0.5 - 0.5 * math.cos(math.pi * left / self.decay_steps))
        return plateau


@dataclass(frozen=True)
class EngineOptions:
    """How a step is computed. On a CPU the defaults are the fastest.

    Attributes:
        precision: `fp32` (exact), `tf32` (products rounded by the GPU), or autocast to `bf16` or `fp16`.
        accumulation: parts that a batch is split into, one after the other, to save memory; the same but for rounding.
        gradient_checkpointing: keep only some features of each chain of residual blocks for the backward pass, and
            compute the others again there: less memory, more time, the same numbers.
        channels_last: store the weights of convolutions in the channels-last layout, faster on GPUs in 16 bits.
        compile: compile the extractor and the synthesis network by torch.compile.
    """

    precision: Precision = "fp32"
    accumulation: int = 1
    gradient_checkpointing: bool = False
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        require(self.accumulation >= 1, "accumulation must be at least 1", self)
