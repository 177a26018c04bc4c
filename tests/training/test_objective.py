"""The losses of a batch as the recipe weighs them, against their formulas."""

from collections.abc import Sequence

import pytest
import torch

from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, collate
from ttsr.errors import RecipeError
from ttsr.models.blocks import ResidualChain
from ttsr.system.distributed import Runtime
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
        trainer.model.synthesis.merge.tail2.bias.copy_(torch.tensor([9.0, -9.0, 0.0]))
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
    metrics_alone = trainer.objective.network_loss(batch, NUMBERS, forward_pass, pixel_only=True)[0]
    metrics_alone.backward()
    gradient = trainer.model.synthesis.merge.tail2.bias.grad
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
