"""The networks of a run as they are initialised: TTSR, and where the recipe needs them discriminator and VGG19."""

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
    """The networks of a run.

    Attributes:
        model: the network to train.
        discriminator: for the adversarial loss.
        vgg19: for the perceptual loss, unless it uses the extractor of `model`.
    """

    model: TTSR
    discriminator: Discriminator | None
    vgg19: nn.Module | None


def build_networks(
    recipe: Recipe,
    device: torch.device,
    vgg19_file: Path | None = None,
    *,
    resumed: bool = False,
    make_network: Callable[[TTSRConfig], TTSR] = TTSR,
) -> Networks:
    """Networks in training mode; the same for the same recipe.

    Args:
        recipe: sizes, seed and weights to start from.
        device: where to put the networks.
        vgg19_file: torchvision's weights of VGG19; downloaded if needed and not given.
        resumed: a checkpoint will replace the weights, so those to start from are not loaded.
        make_network: makes the network from its sizes; for variants, as in an ablation.

    Raises:
        RecipeError: weights to start from are of other sizes.
        WeightsError: weights to start from, or VGG19's, are not found or not downloadable.
    """
    losses = recipe.losses
    torch.manual_seed(recipe.seed)
    model = make_network(recipe.model)
    scale_residuals(model, recipe.residual_start)
    discriminator = Discriminator(recipe.crop, recipe.discriminator.channels) if losses.adversarial else None
    is_needed = losses.perceptual > 0 and losses.perceptual_features == "vgg19"
    from_vgg19 = recipe.extractor.start == "vgg19" and not recipe.start and not resumed
    vgg19 = load_vgg19(vgg19_file) if is_needed or from_vgg19 else None
    if recipe.start and not resumed:
        _start(model, recipe.start, "start")
    if from_vgg19 and vgg19 is not None:
        start_extractor(model.extractor, vgg19)
    elif recipe.extractor.start not in ("random", "contrastive", "vgg19") and not recipe.start and not resumed:
        _start(model.extractor, recipe.extractor.start, "extractor.start")
    networks = Networks(model.train(), discriminator, vgg19 if is_needed else None)
    for network in (networks.model, networks.discriminator, networks.vgg19):
        if network is not None:
            network.to(device)
            _set_memory_format(network, recipe.engine)
    if recipe.engine.compile:
        _compile(model)
    return networks


def _start(part: nn.Module, weights: str, field: str) -> None:
    """Load other weights into a TTSR or its extractor."""
    other = load(weights)
    source = other if isinstance(part, TTSR) else other.extractor
    expected = {name: value.shape for name, value in part.state_dict().items()}
    given = {name: value.shape for name, value in source.state_dict().items()}
    # Match confidence that the other network lacks keeps its initialisation.
    given = {name: shape for name, shape in expected.items() if name.startswith("transfer.")} | given
    if expected != given:
        raise RecipeError(f"{field}: {weights} has other sizes than the recipe's model ({other.config})")
    part.load_state_dict(source.state_dict(), strict=False)


def _set_memory_format(network: nn.Module, options: EngineOptions) -> None:
    if options.channels_last:
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _compile(model: TTSR) -> None:
    """Only the convolutions: the loops of the search depend on its sizes, and are few large operations anyway."""
    model.extractor.compile()
    model.synthesis.coarse = torch.compile(model.synthesis.coarse)
    model.synthesis.fine = torch.compile(model.synthesis.fine)
