"""The losses of a batch as the recipe weighs them, against their formulas."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, collate
from ttsr.errors import RecipeError
from ttsr.models.blocks import ResidualChain
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.vgg import VGG19
from ttsr.system.distributed import Runtime
from ttsr.training.objective import Objective
from ttsr.training.recipe import Recipe
from ttsr.training.trainer import Trainer
from ttsr.weights.saving import save


def first_batch(photos, recipe: Recipe) -> Batch:
    pairs = PhotoPairs(photos, recipe.photos, recipe.seed)
    return collate([pairs[number] for number in range(recipe.batch_size)])


NUMBERS: Sequence[int] = range(2)


@pytest.mark.parametrize("clamp", [False, True])
def test_clamped_sr_is_what_all_losses_see(photos, debug, clamp):
    recipe = debug("gan", f"--losses.clamp={str(clamp).lower()}", "--losses.contrastive=0")
    trainer, batch = Trainer(recipe, Runtime("cpu")), first_batch(photos, recipe)
    with torch.no_grad():
        trainer.model.get_parameter("synthesis.merge.tail2.bias").copy_(torch.tensor([9.0, -9.0, 0.0]))
    seen = []
    assert trainer.discriminator is not None
    trainer.discriminator.register_forward_pre_hook(lambda _, images: seen.append(images[0].detach()))
    forward_pass = trainer.objective.forward(batch)
    sr = trainer.model(batch.lr, batch.ref, lr_up=batch.lr_up, ref_blur=batch.ref_blur).sr
    assert sr[:, 0].min() > 1 and sr[:, 1].max() < 0
    _, metrics = trainer.objective.network_loss(batch, NUMBERS, forward_pass, pixel_only=False)
    expected = sr.detach().clamp(0, 1) if clamp else sr.detach()
    torch.testing.assert_close(metrics["rec"], 2 * (expected - batch.hr).abs().mean())
    torch.testing.assert_close(seen[0], 2 * expected - 1)
    trainer.objective.network_loss(batch, NUMBERS, forward_pass, pixel_only=True)[0].backward()
    gradient = trainer.model.get_parameter("synthesis.merge.tail2.bias").grad
    assert gradient is not None and (gradient[:2] == 0).all() == clamp and gradient[2] != 0


def test_gradient_checkpointing_gives_the_same_steps(photos, debug):
    weights = {}
    for switch in ("false", "true"):
        recipe = debug(
            "gan", "--schedule.contrastive_steps=0", "--schedule.pixel_steps=0", "--extractor.start=random",
            "--model.num_blocks=[2,2,1,3]", f"--engine.gradient_checkpointing={switch}",
        )  # fmt: skip
        trainer, batch = Trainer(recipe, Runtime("cpu")), first_batch(photos, recipe)
        assert {chain.checkpointed for chain in trainer.model.modules() if isinstance(chain, ResidualChain)} == {
            switch == "true"
        }
        for _ in range(2):
            trainer.train_step(batch)
        weights[switch] = trainer.model.state_dict()
    assert all(torch.equal(value, weights["true"][key]) for key, value in weights["false"].items())


def test_weights_of_another_res_scale_are_no_start(debug, tmp_path):
    save(Trainer(debug("rec", "--model.res_scale=0.5"), Runtime("cpu")).model, tmp_path / "half.safetensors")
    with pytest.raises(
        RecipeError, match=r"half\.safetensors has res_scale 0\.5, the recipe's model 1\.0: set model\.res"
    ):
        Trainer(debug("rec", f"--start={tmp_path / 'half.safetensors'}"), Runtime("cpu"))


def test_every_option_of_the_losses_reaches_its_formula(photos, debug):
    """All at once, with a VGG19 of random weights; each loss against its own computation."""
    recipe = debug(
        "rec", "--losses.contrastive=0", "--losses.rec=0.5", "--losses.rec_kind=mse",
        "--losses.perceptual=2", "--losses.perceptual_layers=[relu1_2,'8']", "--losses.perceptual_layer_weights=[1,3]",
        "--losses.perceptual_kind=l1", "--losses.style=5", "--losses.style_layers=[conv2_1]",
        "--losses.style_layer_weights=[7]", "--losses.style_kind=mse", "--losses.transferal=0.1",
        "--losses.transferal_kind=l1", "--losses.transferal_attention=sigmoid", "--losses.transferal_levels=sum",
    )  # fmt: skip
    torch.manual_seed(0)
    vgg19, batch = VGG19("relu2_2"), first_batch(photos, recipe)
    assert recipe.losses.vgg19_layers == ("relu1_2", "conv2_1", "relu2_2")
    # The trainer would load the published VGG19.
    without = replace(recipe, losses=replace(recipe.losses, perceptual=0.0, style=0.0))
    model = Trainer(without, Runtime("cpu")).model
    objective = Objective(recipe, model, None, vgg19)
    output, reference = objective.forward(batch)
    loss, metrics = objective.network_loss(batch, NUMBERS, (output, reference), pixel_only=False)

    sr, hr = vgg19.features(output.sr, recipe.losses.vgg19_layers), vgg19.features(batch.hr, recipe.losses.vgg19_layers)
    gram = [torch.einsum("bihw,bjhw->bij", x, x) / x[0].numel() for x in (sr[1], hr[1])]
    share = [F.interpolate(output.relevance, scale_factor=f, mode="bicubic").sigmoid() for f in (1, 2, 4)]
    assert output.textures is not None
    levels = zip(share, model.extractor(output.sr), output.textures, strict=True)
    expected = {
        "rec": (2 * output.sr - 2 * batch.hr).square().mean(),
        "perceptual": (sr[0] - hr[0]).abs().mean() + 3 * (sr[2] - hr[2]).abs().mean(),
        "style": 7 * (gram[0] - gram[1]).square().mean(),
        "transferal": sum((s * a - s * b).abs().mean() for s, a, b in levels),
    }
    for name, value in expected.items():
        torch.testing.assert_close(metrics[name], torch.as_tensor(value).detach(), rtol=1e-4, atol=1e-8)
    weights = {"rec": 0.5, "perceptual": 2.0, "style": 5.0, "transferal": 0.1}
    total = sum(weights[name] * value.item() for name, value in metrics.items() if name in weights)
    assert loss.item() == pytest.approx(total)
    alone, metrics = objective.network_loss(batch, NUMBERS, (output, reference), pixel_only=True)
    assert alone.item() == pytest.approx(0.5 * metrics["rec"].item())


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "hinge", "wgan", "wgan-gp", "ragan", "rsgan"])
def test_every_adversarial_kind_trains(photos, debug, kind):
    recipe = debug(
        "gan", f"--losses.adversarial_kind={kind}", "--schedule.pixel_steps=0", "--schedule.contrastive_steps=0",
        "--extractor.start=random",
    )  # fmt: skip
    trainer, batch = Trainer(recipe, Runtime("cpu")), first_batch(photos, recipe)
    assert trainer.discriminator is not None
    first = trainer.discriminator.get_parameter("body.0.weight")
    before = first.detach().clone()
    metrics = trainer.train_step(batch)
    assert trainer.skipped == 0 and {"adversarial", "discriminator"} <= metrics.keys()
    assert not torch.equal(first, before)


def test_the_search_is_that_of_the_recipe(photos, debug):
    """Coherent matches differ from the exact ones, have no higher relevance, and carry gradients to the extractor."""
    outputs = {}
    for search, matcher in (("exact", EXACT), ("coherent", COHERENT)):
        recipe = debug("rec", f"--search={search}", "--photos.hr_size=112", "--batch_size=1")
        trainer, batch = Trainer(recipe, Runtime("cpu")), first_batch(photos, recipe)
        output, reference = trainer.objective.forward(batch)
        queries = trainer.model.extractor.coarse(batch.lr_up)
        assert reference is not None and queries is not None
        assert torch.equal(output.index, matcher(queries, [reference.keys], masks=[reference.mask]).index)
        output.relevance.sum().backward()
        assert trainer.model.extractor.conv1_1.weight.grad is not None
        outputs[search] = output
    assert not torch.equal(outputs["exact"].index, outputs["coherent"].index)
    assert (outputs["coherent"].relevance <= outputs["exact"].relevance + 1e-5).all()


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_discriminator_judges_the_base_too_where_it_is_trained(photos, debug, weight):
    trunk = ["--model.trunk_channels=6", "--model.bicubic_skip=true", f"--losses.base={weight}"]
    recipe = debug("gan", *trunk, "--losses.contrastive=0", "--losses.adversarial_kind=ragan")
    trainer, batch = Trainer(recipe, Runtime("cpu")), first_batch(photos, recipe)
    forward_pass = trainer.objective.forward(batch)
    output = forward_pass[0]
    assert output.base is not None
    judged = trainer.objective.images(output)
    expected = [output.sr, output.base] if weight else [output.sr]
    assert torch.equal(judged, torch.cat(expected))
    seen = []
    assert trainer.discriminator is not None
    trainer.discriminator.register_forward_pre_hook(lambda _, images: seen.append(images[0].detach()))
    trainer.objective.discriminator_loss(batch, NUMBERS, judged, 0)
    torch.testing.assert_close(seen[0], 2 * torch.cat([batch.hr] * len(expected) + expected).detach() - 1)
    _, metrics = trainer.objective.network_loss(batch, NUMBERS, forward_pass, pixel_only=False)
    assert metrics["adversarial"].isfinite()
