"""Recipes: every setting of a training run, as data. Free of torch, so that `ttsr recipes` does not wait for it.

The `Attributes:` sections are what `ttsr recipes NAME` and `ttsr train --help` print.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from ttsr.data.cufed5 import ReferenceChoice
from ttsr.data.pair_options import CufedOptions, PhotosOptions
from ttsr.evaluation.protocol_names import ProtocolName
from ttsr.models.config import TTSRConfig
from ttsr.models.vgg_layers import smallest_side
from ttsr.training.recipe_options import (
    DiscriminatorOptions,
    EngineOptions,
    ExtractorOptions,
    LossWeights,
    OptimizerOptions,
    ScheduleOptions,
    require,
)

_MOST_PIXELS = 2**28  # of a step's HR crops: a gigabyte for each channel in fp32


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        name: name of the recipe, and of the file of the final weights.
        model: sizes of the network.
        pairs: `cufed` (folders input/ and ref/) or `photos` (a folder of photos, pairs made on the fly); may be packed.
        cufed: how pairs are made from CUFED's layout.
        photos: how pairs are made from photos.
        batch_size: pairs in a step, of each process or of all together, as `batch_per` says.
        batch_per: `process` (each process, and so each GPU, takes `batch_size` pairs a step, as in MMagic) or `run`
            (all processes together do, whatever their number).
        start: weights of the same sizes to start from (a name, file or URL), the extractor's included, and the
            discriminator's where the file has them, as MMagic's and the checkpoints of runs do; empty for random ones.
        extractor: how the texture extractor is initialised.
        search: the search to match by: `exact`, as published, or `coherent`, coarse to fine.
        trains: what is updated: `all`, the `trunk` alone (by the losses that need no reference, and none is drawn), the
            `textures` (all but the trunk), or the `extractor` alone (by the contrastive loss alone). `trunk` and
            `textures` need `model.trunk_channels`.
        losses: weights and variants of the losses.
        optimizer: Adam, for the network.
        discriminator: the discriminator and its Adam.
        schedule: length, phases and learning rate.
        engine: precision, memory and speed.
        initialisation: random weights of the network: `pytorch` (PyTorch's own, the authors) or `mmagic` (0.1 times
            Kaiming's in residual blocks, Kaiming's in up-sampling convolutions, zero bias in both).
        residual_start: factor of the last convolution of every residual block in a random initialisation.
        ema: decay of the moving average of the weights, which is saved as the model; 0 for none.
        seed: seed of all random numbers.
        checkpoint_steps: steps between checkpoints.
        validation_steps: steps between validations.
        validation_protocol: how validation scores, a protocol of `ttsr evaluate`, such as `paper-y` (the authors) or
            `mmagic-rgb` (MMagic); the best model has the highest PSNR by it.
        validation_reference: the references of validation, a choice of `ttsr evaluate --reference`.
        log_steps: steps between lines of the log.
        keep: number of latest checkpoints that are kept.
        licence: licence of the trained weights, stored in their file.
        stages: a list of recipes, each with a name and those fields in which it differs from the whole; one is run
            after the other, each from the averaged weights of the one before. None for a recipe that is run itself.
    """

    name: str
    model: TTSRConfig = field(default_factory=TTSRConfig)
    pairs: Literal["cufed", "photos"] = "cufed"
    cufed: CufedOptions = field(default_factory=CufedOptions)
    photos: PhotosOptions = field(default_factory=PhotosOptions)
    batch_size: int = 9
    batch_per: Literal["process", "run"] = "run"
    start: str = ""
    extractor: ExtractorOptions = field(default_factory=ExtractorOptions)
    search: Literal["exact", "coherent"] = "exact"
    trains: Literal["all", "trunk", "textures", "extractor"] = "all"
    losses: LossWeights = field(default_factory=LossWeights)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    engine: EngineOptions = field(default_factory=EngineOptions)
    initialisation: Literal["pytorch", "mmagic"] = "pytorch"
    residual_start: float = 1.0
    ema: float = 0.0
    seed: int = 0
    checkpoint_steps: int = 500
    validation_steps: int = 5000
    validation_protocol: ProtocolName = "paper-y"
    validation_reference: ReferenceChoice = "1"
    log_steps: int = 20
    keep: int = 2
    licence: str = "Apache-2.0"
    stages: tuple["Recipe", ...] = ()

    def __post_init__(self) -> None:
        names = Counter(stage.name for stage in self.stages)
        for name, count in names.items():
            named = re.fullmatch(r"[\w-]+", name) is not None
            require(named, f"a stage's name, also of its folder, takes letters, digits, - and _, not {name!r}", self)
            require(count == 1, f"two stages are called {name}", self)
        is_a_name = self.name.isprintable() and not self.name.startswith(".") and not set(self.name) & set("/\\")
        require(is_a_name and 0 < len(self.name) <= 100, "name, also of files, must be short, without / and \\", self)
        if not self.stages:  # what is only completed by its stages need not fit together
            self._check()

    def _check(self) -> None:
        require(self.batch_size >= 1, "batch_size must be at least 1", self)
        rule = f"{self.batch_size} crops of {self.crop} px a side are more than a machine computes in a step"
        require(self.batch_size * self.crop**2 <= _MOST_PIXELS, rule, self)
        positive = (self.checkpoint_steps, self.validation_steps, self.log_steps, self.keep)
        require(min(positive) >= 1, "checkpoint_steps, validation_steps, log_steps and keep must be at least 1", self)
        require(0 <= self.ema < 1, "ema must lie in [0, 1)", self)
        require(0 <= self.seed < 2**63, "seed must lie in [0, 2^63)", self)
        require(self.pairs == "photos" or not self.is_contrastive, "the contrastive loss needs pairs: photos", self)
        for needed, what in (
            (self.trains in ("trunk", "textures"), f"trains: {self.trains}"),
            (self.losses.base > 0, "losses.base"),
        ):
            require(self.model.trunk_channels > 0 or not needed, f"{what} needs model.trunk_channels", self)
        if layers := self.losses.vgg19_layers:
            least = smallest_side(layers)
            require(self.crop >= least, f"{layers[-1]} of VGG19 needs an hr_size of {least} at least", self)
        alone = self.trains == "all" or self.schedule.contrastive_steps == 0
        require(alone, "schedule.contrastive_steps needs trains: all", self)
        has_steps = self.trains == "extractor" or self.schedule.contrastive_steps > 0
        has_steps = has_steps or self.extractor.start != "contrastive"
        require(has_steps, "extractor.start: contrastive needs schedule.contrastive_steps", self)

    @property
    def crop(self) -> int:
        """Side of the HR crops in pixels."""
        return self.cufed.hr_size if self.pairs == "cufed" else self.photos.hr_size

    def pairs_per_step(self, num_processes: int) -> int:
        """Pairs in a step of all processes together."""
        return self.batch_size * (num_processes if self.batch_per == "process" else 1)

    @property
    def takes_mined(self) -> bool:
        """Whether mined pairs are of use: those with references, but without known correspondences."""
        return self.pairs == "photos" and self.photos.mined_share > 0 and self.trains in ("all", "textures")

    @property
    def is_contrastive(self) -> bool:
        """Whether the contrastive loss is used at any step."""
        if self.trains == "trunk":
            return False
        return self.trains == "extractor" or self.losses.contrastive > 0 or self.schedule.contrastive_steps > 0
