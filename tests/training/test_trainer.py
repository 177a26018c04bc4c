"""A step: the same however its batch is cut up, in whatever precision."""

from dataclasses import replace

import pytest
import torch

from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, collate
from ttsr.errors import RecipeError
from ttsr.runtime import Runtime
from ttsr.training.trainer import Trainer


def first_batches(photos, recipe, count: int) -> list[Batch]:
    pairs, size = PhotoPairs(photos, recipe.photos, recipe.seed), recipe.batch_size
    return [collate([pairs[number] for number in range(step * size, (step + 1) * size)]) for step in range(count)]


def steps(recipe, batches: list[Batch]) -> list[dict[str, float]]:
    trainer = Trainer(recipe, Runtime("cpu"))
    return [trainer.train_step(batch) for batch in batches]


@pytest.mark.parametrize("kind", ["rec", "gan", "gan-paper"])
def test_accumulation_gives_the_losses_of_the_whole_batch(photos, debug, kind):
    """From step 7 on the adversary takes part, twice a step.

    Its rate is low: Adam's first steps are as long as the rate whatever the gradient, so that where one vanishes the
    rounding of a sum decides the direction.
    """
    recipe = debug(kind, "--batch_size=4", "--losses.contrastive_group=1", "--discriminator.lr=1e-6")
    batches = first_batches(photos, recipe, 10)
    whole = steps(recipe, batches)
    cut = steps(replace(recipe, engine=replace(recipe.engine, accumulation=4)), batches)
    for ours, theirs in zip(cut, whole, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_sixteen_bits_move_the_extractor_as_far_as_thirty_two(photos, debug, precision):
    """Gradients of fp16 come scaled up by 65536: an optimiser that is not told would take other steps."""
    recipe = debug("rec", "--schedule.contrastive_steps=0", "--extractor.start=random", "--schedule.warmup_steps=0")
    (batch,) = first_batches(photos, recipe, 1)
    norms, gradients = {}, {}
    for name in ("fp32", precision):
        trainer = Trainer(replace(recipe, engine=replace(recipe.engine, precision=name)), Runtime("cpu"))
        before = {key: value.clone() for key, value in trainer.model.extractor.state_dict().items()}
        figures = trainer.train_step(batch)
        gradients[name] = figures["gradient"]
        moved = trainer.model.extractor.state_dict()
        norms[name] = torch.stack([(moved[key] - before[key]).norm() for key in before]).norm().item()
        assert norms[name] > 0
    assert gradients[precision] == pytest.approx(gradients["fp32"], rel=0.1)
    # Adam's first step is as long as the rate for each weight whose gradient has not vanished.
    assert norms[precision] == pytest.approx(norms["fp32"], rel=0.1)


def test_fp16_lowers_its_scale_instead_of_taking_a_bad_step(photos, debug):
    recipe = debug("rec", "--engine.precision=fp16", "--schedule.contrastive_steps=0", "--extractor.start=random")
    trainer = Trainer(recipe, Runtime("cpu"))
    trainer.update.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    (batch,) = first_batches(photos, recipe, 1)
    trainer.train_step(batch)
    assert trainer.update.scaler.get_scale() == 2.0**119
    assert all(torch.equal(value, before[key]) for key, value in trainer.model.state_dict().items())
    assert trainer.skipped == 0


def test_a_batch_that_does_not_share_out_is_refused(debug):
    with pytest.raises(RecipeError, match="a batch of 2 cannot be shared out evenly among 1 processes x 3 parts"):
        Trainer(debug("rec", "--engine.accumulation=3"), Runtime("cpu"))


def test_the_moving_average_follows_the_weights(photos, debug):
    recipe = debug("rec", "--ema=0.5")
    trainer = Trainer(recipe, Runtime("cpu"))
    expected = {key: value.clone() for key, value in trainer.average.items()}
    for step, batch in enumerate(first_batches(photos, recipe, 6)):
        trainer.train_step(batch)
        decay = min(0.5, (1 + step) / (10 + step))
        now = trainer.model.state_dict()
        expected = {key: decay * value + (1 - decay) * now[key] for key, value in expected.items()}
    for key, value in trainer.averaged_model().state_dict().items():
        torch.testing.assert_close(value, expected[key])


def test_weights_to_begin_with(debug, tmp_path):
    from ttsr.weights.saving import save

    recipe = debug("rec")
    other = Trainer(debug("rec", "--seed=9"), Runtime("cpu")).model
    file = tmp_path / "other.safetensors"
    save(other, file)
    begun = Trainer(replace(recipe, start=str(file)), Runtime("cpu")).model
    assert all(torch.equal(value, begun.state_dict()[key]) for key, value in other.state_dict().items())
    extractor = replace(recipe.extractor, start=str(file))
    half = Trainer(replace(recipe, extractor=extractor), Runtime("cpu")).model
    fresh = Trainer(recipe, Runtime("cpu")).model
    assert all(torch.equal(value, half.extractor.state_dict()[k]) for k, value in other.extractor.state_dict().items())
    assert all(torch.equal(value, half.synthesis.state_dict()[k]) for k, value in fresh.synthesis.state_dict().items())
    with pytest.raises(RecipeError, match=r"start: .*other\.safetensors is of other sizes"):
        Trainer(replace(recipe, start=str(file), model=replace(recipe.model, channels=12)), Runtime("cpu"))
