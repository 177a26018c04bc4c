"""A step: the same however its batch is cut up, in whatever precision."""

from dataclasses import replace

import pytest
import torch

from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, collate
from ttsr.errors import RecipeError, WeightsError
from ttsr.losses.adversarial import discriminator_loss
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.synthesis import SynthesisNetwork
from ttsr.progress import Progress
from ttsr.system.distributed import Runtime
from ttsr.training.trainer import Trainer


def first_batches(photos, recipe, count: int) -> list[Batch]:
    pairs, size = PhotoPairs(photos, recipe.photos, recipe.seed), recipe.batch_size
    return [collate([pairs[number] for number in range(step * size, (step + 1) * size)]) for step in range(count)]


def steps(recipe, batches: list[Batch]) -> list[dict[str, float]]:
    trainer = Trainer(recipe, Runtime("cpu"))
    return [trainer.train_step(batch) for batch in batches]


@pytest.mark.parametrize("kind", ["rec", "gan", "gan-paper"])
def test_accumulation_gives_the_losses_of_the_whole_batch(photos, debug, kind):
    """From step 7 on the discriminator takes part, twice a step.

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
    """Gradients of fp16 come scaled up by 65536; what the optimizer has seen of the extractor's must not be."""
    recipe = debug("rec", "--schedule.contrastive_steps=0", "--extractor.start=random", "--optimizer.clip_norm=0")
    (batch,) = first_batches(photos, recipe, 1)
    seen = {}
    for name in ("fp32", precision):
        trainer = Trainer(replace(recipe, engine=replace(recipe.engine, precision=name)), Runtime("cpu"))
        trainer.train_step(batch)
        for part in (trainer.model.synthesis, trainer.model.extractor):
            # After one step Adam's first moment is a tenth of the gradient.
            moments = [trainer.optimizer.optimizer.state[parameter]["exp_avg"] for parameter in part.parameters()]
            seen[name, type(part)] = torch.cat([moment.flatten() for moment in moments])
    for part in (SynthesisNetwork, LearnableTextureExtractor):
        expected, ours = seen["fp32", part], seen[precision, part]
        assert expected.norm() > 0
        assert (ours - expected).norm() < 0.1 * expected.norm()


def test_fp16_that_no_scale_can_help_is_counted_and_stops_the_run(photos, debug):
    options = [
        "--engine.precision=fp16",
        "--losses.rec=1e30",
        "--schedule.contrastive_steps=0",
        "--extractor.start=random",
    ]
    recipe = debug("rec", "--losses.contrastive=0", *options)
    (batch,) = first_batches(photos, recipe, 1)
    trainer = Trainer(recipe, Runtime("cpu"))
    with pytest.raises(RecipeError, match="10 times in a row"):
        for _ in range(60):
            trainer.train_step(batch)
    assert trainer.skipped == 10 and trainer.step < 40


def test_a_discriminator_step_without_a_finite_loss_is_counted(photos, debug, monkeypatch):
    recipe = debug("gan", "--schedule.pixel_steps=0", "--schedule.contrastive_steps=0", "--extractor.start=random")
    (batch,) = first_batches(photos, recipe, 1)
    trainer = Trainer(recipe, Runtime("cpu"))
    calls = []

    def first_step_fails(*arguments):
        loss, metrics = discriminator_loss(*arguments)
        calls.append(loss)
        return (loss * float("nan") if len(calls) == 1 else loss), metrics

    monkeypatch.setattr("ttsr.training.objective.discriminator_loss", first_step_fails)
    trainer.train_step(batch)
    assert len(calls) == 2 and trainer.skipped == 1 and trainer.is_sound


def test_changed_options_of_adam_hold_from_a_checkpoint_on(photos, debug):
    recipe = debug("gan")
    trainer = Trainer(recipe, Runtime("cpu"))
    (batch,) = first_batches(photos, recipe, 1)
    trainer.train_step(batch)
    more = ("--optimizer.eps=1e-6", "--optimizer.weight_decay=0.25", "--discriminator.eps=1e-5")
    other = debug("gan", "--optimizer.betas=[0.5,0.8]", "--discriminator.betas=[0.1,0.2]", *more)
    resumed = Trainer(other, Runtime("cpu"), state=trainer.state())
    assert all(group["betas"] == (0.5, 0.8) for group in resumed.optimizer.optimizer.param_groups)
    assert resumed.discriminator_optimizer is not None
    assert resumed.discriminator_optimizer.optimizer.param_groups[0]["betas"] == (0.1, 0.2)
    assert resumed.discriminator_optimizer.optimizer.param_groups[0]["eps"] == 1e-5
    for group in resumed.optimizer.optimizer.param_groups:
        assert (group["eps"], group["weight_decay"]) == (1e-6, 0.25)


def test_the_first_step_of_adam_is_its_formula(photos, debug):
    """Moments corrected for their start are g and g^2, so the step is lr g / (|g| + eps); g has the weight decay."""
    options = ["--optimizer.eps=1e-3", "--optimizer.weight_decay=0.1", "--optimizer.clip_norm=0", "--seed=5"]
    recipe = debug("rec", "--schedule.contrastive_steps=0", "--extractor.start=random", *options)
    (batch,) = first_batches(photos, recipe, 1)
    trainer, same = Trainer(recipe, Runtime("cpu")), Trainer(recipe, Runtime("cpu"))
    loss, _ = same.objective.network_loss(batch, range(2), same.objective.forward(batch), pixel_only=False)
    loss.backward()
    rate = recipe.optimizer.lr * recipe.schedule.rate_factor(0)
    trainer.train_step(batch)
    for name, before in same.model.synthesis.named_parameters():
        assert before.grad is not None
        gradient = before.grad + 0.1 * before.detach()
        expected = before.detach() - rate * gradient / (gradient.abs() + 1e-3)
        torch.testing.assert_close(trainer.model.synthesis.get_parameter(name).detach(), expected)


@pytest.mark.parametrize("first", [True, False])
def test_the_first_adversarial_steps_train_the_discriminator_alone(photos, debug, first):
    recipe = debug(
        "gan", f"--discriminator.first={str(first).lower()}", "--discriminator.init_steps=2", "--discriminator.steps=3",
        "--schedule.contrastive_steps=1", "--schedule.pixel_steps=2",
    )  # fmt: skip
    trainer = Trainer(recipe, Runtime("cpu"))
    assert trainer.discriminator is not None
    moves = []
    for batch in first_batches(photos, recipe, 6):
        before = [value.clone() for value in (*trainer.model.parameters(), *trainer.discriminator.parameters())]
        metrics = trainer.train_step(batch)
        after = [*trainer.model.parameters(), *trainer.discriminator.parameters()]
        moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
        num = len(list(trainer.model.parameters()))
        moves.append((any(moved[:num]), any(moved[num:])))
        assert ("rec" in metrics, "discriminator" in metrics) == (moves[-1][0] and trainer.step > 1, moves[-1][1])
    assert moves == [(True, False)] * 2 + [(False, True)] * 2 + [(True, True)] * 2
    assert trainer.discriminator_optimizer is not None
    counts = {int(state["step"]) for state in trainer.discriminator_optimizer.optimizer.state.values()}
    assert counts == {3 * 4}


def test_fp16_lowers_its_scale_instead_of_taking_a_bad_step(photos, debug):
    recipe = debug("rec", "--engine.precision=fp16", "--schedule.contrastive_steps=0", "--extractor.start=random")
    trainer = Trainer(recipe, Runtime("cpu"))
    trainer.optimizer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    (batch,) = first_batches(photos, recipe, 1)
    trainer.train_step(batch)
    assert trainer.optimizer.scaler.get_scale() == 2.0**119
    assert all(torch.equal(value, before[key]) for key, value in trainer.model.state_dict().items())
    assert trainer.skipped == 0


def test_a_batch_that_does_not_split_evenly_is_refused(debug):
    with pytest.raises(RecipeError, match="a batch of 2 cannot be split evenly over 1 processes x 3 parts"):
        Trainer(debug("rec", "--engine.accumulation=3"), Runtime("cpu"))


def test_parts_that_would_split_a_contrastive_group_are_refused(debug):
    with pytest.raises(RecipeError, match=r"no multiple of losses\.contrastive_group 2"):
        Trainer(
            debug("rec", "--losses.contrastive=0", "--engine.accumulation=2", "--losses.contrastive_group=2"),
            Runtime("cpu"),
        )


def test_every_parameter_is_trained_match_confidence_included(photos, debug):
    recipe = debug("rec", "--model.refinement_radius=2", "--schedule.contrastive_steps=0", "--extractor.start=random")
    trainer = Trainer(recipe, Runtime("cpu"))
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    assert any(name.startswith("transfer.") for name in before)
    for batch in first_batches(photos, recipe, 3):
        trainer.train_step(batch)
    assert not [name for name, value in trainer.model.named_parameters() if torch.equal(value, before[name])]


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


def test_weights_to_start_from(debug, tmp_path):
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
    # Whole weights replace the extractor's start too: VGG19 is not even downloaded.
    whole = Trainer(replace(recipe, start=str(file), extractor=replace(extractor, start="vgg19")), Runtime("cpu")).model
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in other.state_dict().items())
    # Weights without match confidence are accepted by a network with it.
    refined = Trainer(
        replace(recipe, start=str(file), model=replace(recipe.model, refinement_radius=2)), Runtime("cpu")
    ).model
    assert all(torch.equal(value, refined.state_dict()[key]) for key, value in other.state_dict().items())
    assert any(name.startswith("transfer.") for name in refined.state_dict())
    with pytest.raises(RecipeError, match=r"start: .*other\.safetensors has other sizes"):
        Trainer(replace(recipe, start=str(file), model=replace(recipe.model, channels=12)), Runtime("cpu"))


def test_the_download_of_vgg19_reports_to_the_progress_of_the_run(debug, monkeypatch):
    progress, seen = Progress(), []

    def download(file, given, last):
        seen.append((file, given))
        raise WeightsError("not downloadable")

    monkeypatch.setattr("ttsr.training.networks.load_vgg19", download)
    with pytest.raises(WeightsError):
        Trainer(debug("rec", "--extractor.start=vgg19"), Runtime("cpu"), progress=progress)
    assert seen == [(None, progress)]
