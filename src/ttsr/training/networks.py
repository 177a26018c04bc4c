"""The networks of a run as they are initialised: TTSR, and where the recipe needs them discriminator and VGG19."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ttsr.errors import RecipeError, WeightsError
from ttsr.models.blocks import ResidualChain, initialise_as_mmagic, scale_residuals
from ttsr.models.config import TTSRConfig
from ttsr.models.discriminator import Discriminator
from ttsr.models.patch_discriminator import PatchDiscriminator
from ttsr.models.ttsr import TTSR
from ttsr.models.vgg import VGG19
from ttsr.models.vgg_layers import LAYERS
from ttsr.progress import Progress
from ttsr.training.recipe import Recipe
from ttsr.weights.assembly import assemble, parts_left_out
from ttsr.weights.checkpoint_file import Checkpoint, read_checkpoint
from ttsr.weights.loading import locate
from ttsr.weights.vgg19 import load_vgg19, start_extractor


def build_networks(
    recipe: Recipe,
    device: torch.device,
    vgg19_file: Path | None = None,
    *,
    resumed: bool = False,
    make_network: Callable[[TTSRConfig], TTSR] = TTSR,
    progress: Progress | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> tuple[TTSR, Discriminator | PatchDiscriminator | None, VGG19 | None]:
    """Build the network, the discriminator for the adversarial loss, and VGG19 if a loss uses it.

    They are in training mode, and the same for the same recipe. What the recipe does not train gets no gradient.

    Args:
        recipe: sizes, seed and weights to start from.
        device: where to put the networks.
        vgg19_file: torchvision's weights of VGG19; downloaded if needed and not given.
        resumed: others will replace the weights, so those to start from are not loaded.
        make_network: makes the network from its sizes; for variants, as in an ablation.
        progress: of the download of VGG19.
        on_warning: called with a line for what the weights to start from lack, or what of them is left out.

    Raises:
        RecipeError: weights to start from are of other sizes.
        WeightsError: weights to start from, or VGG19's, are not found or not downloadable.
    """
    losses, extractor_start = recipe.losses, "" if recipe.start or resumed else recipe.extractor.start
    torch.manual_seed(recipe.seed)
    model = make_network(recipe.model)
    for module in model.modules():
        if isinstance(module, ResidualChain):
            module.checkpointed = recipe.engine.gradient_checkpointing
    if recipe.initialisation == "mmagic":
        initialise_as_mmagic(model)
    scale_residuals(model, recipe.residual_start)
    discriminator = _build_discriminator(recipe) if losses.adversarial else None
    in_loss, last = losses.vgg19_layers, max(("relu5_1", *losses.vgg19_layers), key=LAYERS.index)
    vgg19 = load_vgg19(vgg19_file, progress, last) if in_loss or extractor_start == "vgg19" else None
    if recipe.start and not resumed:
        checkpoint = _load_start(model, recipe.start, "start")
        notes = _start_discriminator(discriminator, checkpoint, recipe.start)
        if left_out := parts_left_out(checkpoint, recipe.start):
            notes.append(f"start: {recipe.start}: left out {', '.join(left_out)}")
        if on_warning is not None:
            for note in notes:
                on_warning(note)
    if extractor_start == "vgg19" and vgg19 is not None:
        start_extractor(model.extractor, vgg19)
    elif extractor_start not in ("", "random", "contrastive"):
        _load_start(model.extractor, extractor_start, "extractor.start")
    vgg19 = vgg19 if in_loss else None
    for name, parameter in model.named_parameters():
        if not _is_trained(name, recipe):
            parameter.requires_grad_(False)
    for network in (model.train(), discriminator, vgg19):
        if network is not None:
            network.to(device)
            if recipe.engine.channels_last:
                nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    if recipe.engine.compile:
        # Only the convolutions: the loops of the search depend on its sizes, and are few large operations anyway.
        model.extractor.compile()
        model.synthesis.coarse = torch.compile(model.synthesis.coarse)
        model.synthesis.fine = torch.compile(model.synthesis.fine)
    return model, discriminator, vgg19


def _is_trained(parameter: str, recipe: Recipe) -> bool:
    """Whether the recipe updates the parameter of TTSR of this name."""
    in_trunk = parameter.startswith("synthesis.shallow.")
    in_extractor = parameter.startswith("extractor.")
    return {"all": True, "trunk": in_trunk, "textures": not in_trunk, "extractor": in_extractor}[recipe.trains]


def _load_start(part: nn.Module, weights: str, field: str) -> Checkpoint:
    """Load other weights into a TTSR or its extractor, and return the checkpoint that has them."""
    file = locate(weights)
    checkpoint = read_checkpoint(file)
    other = assemble(checkpoint, str(file))
    source = other if isinstance(part, TTSR) else other.extractor
    expected = {name: value.shape for name, value in part.state_dict().items()}
    given = {name: value.shape for name, value in source.state_dict().items()}
    # Match confidence that the other network lacks keeps its initialisation.
    given = {name: shape for name, shape in expected.items() if name.startswith("transfer.")} | given
    if expected != given:
        raise RecipeError(f"{field}: {weights} has other sizes than the recipe's model ({other.config})")
    if isinstance(part, TTSR) and other.config.res_scale != part.config.res_scale:
        raise RecipeError(
            f"{field}: {weights} has res_scale {other.config.res_scale}, the recipe's model {part.config.res_scale}",
            f"set model.res_scale to {other.config.res_scale}",
        )
    part.load_state_dict(source.state_dict(), strict=False)
    return checkpoint


def _build_discriminator(recipe: Recipe) -> Discriminator | PatchDiscriminator:
    if recipe.discriminator.kind == "patch":
        return PatchDiscriminator(recipe.discriminator.channels)
    return Discriminator(recipe.crop, recipe.discriminator.channels)


def _start_discriminator(
    discriminator: Discriminator | PatchDiscriminator | None, checkpoint: Checkpoint, weights: str
) -> list[str]:
    """Load a checkpoint's discriminator where both have one; returned is a line for whatever could not be done."""
    given = checkpoint.discriminator
    if discriminator is None:
        return [f"start: {weights}: its discriminator is left out, losses.adversarial is 0"] if given else []
    if not given:
        return [f"start: {weights}: has no discriminator, so a new one begins"]
    expected = {name: value.shape for name, value in discriminator.state_dict().items()}
    if expected != {name: value.shape for name, value in given.items()}:
        channels = f"discriminator.channels {discriminator.channels}"
        made_for = f"{discriminator.size} px crops" if isinstance(discriminator, Discriminator) else "patches"
        what = f"its discriminator is another one than the recipe's ({made_for} and {channels})"
        return [f"start: {weights}: {what}, so a new one begins"]
    if not all(bool(value.isfinite().all()) for value in given.values()):
        raise WeightsError(f"{weights}: its discriminator has values that are not finite")
    discriminator.load_state_dict(given)
    return []
