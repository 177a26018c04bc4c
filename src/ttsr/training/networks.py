"""What a run trains, as it begins: the network, and the adversary and judge of features where the recipe asks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ttsr.errors import RecipeError
from ttsr.models.blocks import scale_residuals
from ttsr.models.config import TTSRConfig
from ttsr.models.discriminator import Discriminator
from ttsr.models.ttsr import TTSR
from ttsr.training.recipe import EngineOptions, Recipe
from ttsr.weights.loading import load
from ttsr.weights.vgg19 import load_vgg19, start_extractor


@dataclass(frozen=True)
class Networks:
    """The trained network; its adversary; what perceptual features are taken by, if not by the network's extractor."""

    model: TTSR
    discriminator: Discriminator | None
    vgg19: nn.Module | None


def build_networks(
    recipe: Recipe,
    device: torch.device,
    vgg19_file: Path | None = None,
    *,
    begun: bool = False,
    make_network: Callable[[TTSRConfig], TTSR] = TTSR,
) -> Networks:
    """Networks in training mode on `device`; the same for the same recipe.

    vgg19_file: torchvision's; fetched if it is needed and not given. begun: the run's own weights will replace those to
    begin with, which need not be had any more. make_network: makes the network of the recipe's sizes; given where
    it is to lack parts of TTSR's, as in an ablation.

    Raises:
        RecipeError: weights to begin with are of other sizes.
        WeightsError: weights to begin with, or VGG19's, cannot be had.
    """
    losses = recipe.losses
    torch.manual_seed(recipe.seed)
    model = make_network(recipe.model)
    scale_residuals(model, recipe.residual_start)
    discriminator = Discriminator(recipe.crop, recipe.discriminator.channels) if losses.adversarial else None
    judged = losses.perceptual > 0 and losses.perceptual_features == "vgg19"
    from_vgg19 = recipe.extractor.start == "vgg19" and not recipe.start and not begun
    vgg19 = load_vgg19(vgg19_file) if judged or from_vgg19 else None
    if recipe.start and not begun:
        _start(model, recipe.start, "start")
    if from_vgg19 and vgg19 is not None:
        start_extractor(model.extractor, vgg19)
    elif recipe.extractor.start not in ("random", "contrastive", "vgg19") and not recipe.start and not begun:
        _start(model.extractor, recipe.extractor.start, "extractor.start")
    networks = Networks(model.train(), discriminator, vgg19 if judged else None)
    for network in (networks.model, networks.discriminator, networks.vgg19):
        if network is not None:
            network.to(device)
            _lay_out(network, recipe.engine)
    if recipe.engine.compile:
        _compile(model)
    return networks


def _start(part: nn.Module, weights: str, field: str) -> None:
    """Let a TTSR, or its extractor, begin as that of other weights."""
    other = load(weights)
    source = other if isinstance(part, TTSR) else other.extractor
    ours = {name: value.shape for name, value in part.state_dict().items()}
    theirs = {name: value.shape for name, value in source.state_dict().items()}
    # Match confidence that the other network lacks begins as in any run.
    theirs = {name: shape for name, shape in ours.items() if name.startswith("transfer.")} | theirs
    if ours != theirs:
        raise RecipeError(f"{field}: {weights} is of other sizes than the recipe's model ({other.config})")
    part.load_state_dict(source.state_dict(), strict=False)


def _lay_out(network: nn.Module, options: EngineOptions) -> None:
    if options.channels_last:
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _compile(model: TTSR) -> None:
    """The convolutions alone: the search's loops depend on its sizes, and are few large operations anyway."""
    model.extractor.compile()
    model.synthesis.coarse = torch.compile(model.synthesis.coarse)
    model.synthesis.fine = torch.compile(model.synthesis.fine)
