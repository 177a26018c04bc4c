"""Recipes: everything that decides a training run, as data."""

from dataclasses import dataclass, field
from typing import Literal

from ttsr.data.pair_options import CufedOptions, PhotosOptions
from ttsr.losses.adversarial import AdversarialKind
from ttsr.models.config import TTSRConfig
from ttsr.options import Precision


def _require(holds: bool, rule: str, options: object) -> None:
    if not holds:
        raise ValueError(f"{type(options).__name__}: {rule}")


@dataclass(frozen=True)
class ExtractorOptions:
    """start: what the extractor begins as.

    `vgg19`: ImageNet's, as in the paper. `random`. `contrastive`: random, and trained alone by the contrastive term for
    the first `schedule.contrastive_steps`. Anything else: the extractor of those weights (a name, file or URL).
    """

    start: str = "random"


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms, 0 for none, and their kinds.

    rec: L1 between SR and HR in [-1, 1] (equation 10). perceptual, transferal: section 3.3; adversarial: the
    generator's. contrastive: see `losses.contrastive`.
    perceptual_features: VGG19's relu5_1, or the coarse level of the extractor as it stands.
    transferal_levels: the three levels' terms are added up (MMagic) or averaged (the authors).
    adversarial_kind: `bce` (MMagic) or `wgan-gp` (the authors).
    contrastive_anchors: query cells drawn from each pair. contrastive_group: pairs that lend each other negatives.
    """

    rec: float = 1.0
    perceptual: float = 0.0
    transferal: float = 0.0
    adversarial: float = 0.0
    contrastive: float = 0.0
    perceptual_features: Literal["vgg19", "extractor"] = "vgg19"
    transferal_levels: Literal["sum", "mean"] = "mean"
    adversarial_kind: AdversarialKind = "wgan-gp"
    contrastive_anchors: int = 32
    contrastive_group: int = 4

    def __post_init__(self) -> None:
        weights = (self.rec, self.perceptual, self.transferal, self.adversarial, self.contrastive)
        _require(min(weights) >= 0, "weights of losses must not be negative", self)
        _require(min(self.contrastive_anchors, self.contrastive_group) >= 1, "numbers must be at least 1", self)


@dataclass(frozen=True)
class OptimizerOptions:
    """Adam. lr: of the synthesis network; extractor_lr: of the extractor; clip_norm: of the gradient, 0 for none."""

    lr: float = 1e-4
    extractor_lr: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _require(min(self.lr, self.extractor_lr, self.clip_norm) >= 0, "rates and clip_norm must not be negative", self)
        _require(all(0 <= beta < 1 for beta in self.betas), "betas must lie in [0, 1)", self)


@dataclass(frozen=True)
class DiscriminatorOptions:
    """The adversary, there where `losses.adversarial` is not 0; Adam.

    steps: its steps for each step of the network. first: they come before the network's step, as the authors do, or
    after it, as MMagic does. channels: of its first convolution.
    """

    lr: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.9)
    steps: int = 2
    first: bool = True
    channels: int = 32

    def __post_init__(self) -> None:
        _require(self.lr >= 0, "lr must not be negative", self)
        _require(all(0 <= beta < 1 for beta in self.betas), "betas must lie in [0, 1)", self)
        _require(min(self.steps, self.channels) >= 1, "steps and channels must be at least 1", self)


@dataclass(frozen=True)
class ScheduleOptions:
    """How long, and how fast.

    The learning rate rises over `warmup_steps`, stays, halves after each step of `halve_at`, and falls to zero as a
    cosine over the last `decay_steps`.
    contrastive_steps: the first so many steps train the extractor alone, with the contrastive term.
    pixel_steps: up to this step `losses.rec` and `losses.contrastive` are alone; then the others join them.
    """

    steps: int = 200_000
    warmup_steps: int = 0
    halve_at: tuple[int, ...] = ()
    decay_steps: int = 0
    contrastive_steps: int = 0
    pixel_steps: int = 0

    def __post_init__(self) -> None:
        _require(self.steps >= 1, "steps must be at least 1", self)
        others = (self.warmup_steps, self.decay_steps, self.contrastive_steps, self.pixel_steps, *self.halve_at)
        _require(min(others) >= 0, "numbers of steps must not be negative", self)


@dataclass(frozen=True)
class EngineOptions:
    """How a step is computed; on a CPU fp32 is the fast one.

    precision: `fp32` to the last bit, `tf32` (fp32 whose products a GPU rounds), or autocast to `bf16` or `fp16`.
    accumulation: a step's pairs are taken in so many parts, one after the other; the result is the same.
    channels_last: the layout of the convolutions' weights. compile: extractor and synthesis by torch.compile.
    """

    precision: Precision = "fp32"
    accumulation: int = 1
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        _require(self.accumulation >= 1, "accumulation must be at least 1", self)


@dataclass(frozen=True)
class Recipe:
    """A training run.

    pairs: `cufed` (input/ and ref/) or `photos` (a plain folder, pairs made on the fly); either may be a packed file.
    batch_size: pairs a step, of all processes together.
    start: weights of the same sizes to begin with (a name, file or URL), `extractor.start` notwithstanding; the seed's
        random ones if empty.
    residual_start: what the last convolution of every residual block is multiplied by at a random start.
    ema: decay of the moving average of the weights, which is what is saved as the model; 0 for none.
    checkpoint_steps, validation_steps, log_steps: how often. keep: how many of the last checkpoints stay.
    licence: of the weights that come out.
    """

    name: str
    model: TTSRConfig = field(default_factory=TTSRConfig)
    pairs: Literal["cufed", "photos"] = "cufed"
    cufed: CufedOptions = field(default_factory=CufedOptions)
    photos: PhotosOptions = field(default_factory=PhotosOptions)
    batch_size: int = 9
    start: str = ""
    extractor: ExtractorOptions = field(default_factory=ExtractorOptions)
    losses: LossWeights = field(default_factory=LossWeights)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    engine: EngineOptions = field(default_factory=EngineOptions)
    residual_start: float = 1.0
    ema: float = 0.0
    seed: int = 0
    checkpoint_steps: int = 500
    validation_steps: int = 5000
    log_steps: int = 20
    keep: int = 2
    licence: str = "Apache-2.0"

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "batch_size must be at least 1", self)
        often = (self.checkpoint_steps, self.validation_steps, self.log_steps, self.keep)
        _require(min(often) >= 1, "checkpoint_steps, validation_steps, log_steps and keep: 1 at least", self)
        _require(0 <= self.ema < 1, "ema must lie in [0, 1)", self)
        _require(0 <= self.seed < 2**63, "seed must lie in [0, 2^63)", self)
        _require(self.pairs == "photos" or not self.is_contrastive, "the contrastive term needs pairs: photos", self)
        alone = self.extractor.start != "contrastive" or self.schedule.contrastive_steps > 0
        _require(alone, "extractor.start: contrastive needs schedule.contrastive_steps", self)

    @property
    def crop(self) -> int:
        """Side of the HR crops in pixels."""
        return self.cufed.hr_size if self.pairs == "cufed" else self.photos.hr_size

    @property
    def is_contrastive(self) -> bool:
        """Whether the contrastive term has any part in the run."""
        return self.losses.contrastive > 0 or self.schedule.contrastive_steps > 0
