"""The networks as the recipes initialise them, against the published implementations' formulas."""

import math
from dataclasses import replace

import pytest
import torch

from ttsr.models.blocks import PixelShuffleUp, ResidualBlock
from ttsr.models.config import TTSRConfig
from ttsr.training.networks import build_networks
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import read_recipe


def network(recipe: Recipe) -> torch.nn.Module:
    """The recipe's network of the published width, with fewer blocks and without VGG19."""
    losses = replace(recipe.losses, perceptual=0.0, adversarial=0.0)
    model = replace(recipe.model, num_blocks=(2, 1, 1, 1))
    extractor = replace(recipe.extractor, start="random")
    recipe = replace(recipe, losses=losses, model=model, extractor=extractor)
    return build_networks(recipe, torch.device("cpu"))[0]


@pytest.mark.parametrize("name", ["ttsr-rec_x4c64b16_1xb9-200k_CUFED", "ttsr-gan_x4c64b16_1xb9-500k_CUFED"])
def test_mmagics_recipes_begin_as_mmagics_network(name):
    """Kaiming by fan-in: sqrt(2 / (9 * 64)) = 0.0589."""
    model, fresh = network(read_recipe(name)), network(replace(read_recipe(name), initialisation="pytorch"))
    kaiming, own = math.sqrt(2 / (9 * 64)), set()
    for prefix, module in model.named_modules():
        if isinstance(module, ResidualBlock):
            convolutions, expected = (module.conv1, module.conv2), 0.1 * kaiming
        elif isinstance(module, PixelShuffleUp):
            convolutions, expected = (module.conv,), kaiming
        else:
            continue
        own.add(prefix)
        for conv in convolutions:
            assert conv.weight.std().item() == pytest.approx(expected, rel=0.02)
            # Normal, not uniform: some weights lie beyond a uniform distribution's largest, sqrt(3) deviations.
            assert conv.weight.abs().max() > 3 * expected
            assert conv.bias is not None and not conv.bias.any()
    assert len(own) == 2 + 1 + 2 + 3 + 2
    for key, value in model.state_dict().items():
        is_own = any(key.startswith(f"{prefix}.") for prefix in own)
        assert torch.equal(value, fresh.state_dict()[key]) != is_own, key


@pytest.mark.parametrize("name", ["ttsr-rec_paper_CUFED", "ttsr-gan_paper_CUFED"])
def test_the_authors_recipes_begin_with_pytorchs_weights(name):
    """Uniform within 1 / sqrt(fan-in), of standard deviation 1 / sqrt(3 fan-in) = 0.0241, the bias too."""
    for module in network(read_recipe(name)).modules():
        convolutions = (module.conv1, module.conv2) if isinstance(module, ResidualBlock) else ()
        for conv in (module.conv,) if isinstance(module, PixelShuffleUp) else convolutions:
            assert conv.weight.std().item() == pytest.approx(1 / math.sqrt(3 * 9 * 64), rel=0.02)
            assert conv.bias is not None and 0 < conv.bias.abs().max() <= 1 / math.sqrt(9 * 64)


def test_residual_start_scales_what_either_initialisation_draws():
    for initialisation in ("pytorch", "mmagic"):
        recipe = Recipe("a", TTSRConfig(8, (1, 0, 0, 0), (4, 4, 4)), initialisation=initialisation)
        whole, scaled = network(recipe), network(replace(recipe, residual_start=0.25))
        for key, value in whole.state_dict().items():
            factor = 0.25 if key.endswith("conv2.weight") and ".blocks." in key else 1.0
            assert torch.equal(scaled.state_dict()[key], factor * value)
