"""`ttsr train` as a whole command."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

import ttsr
from ttsr.cli import main
from ttsr.cli.train import parse_time
from ttsr.errors import RecipeError
from ttsr.models.vgg import VGG19
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.recipe_text import read_recipe, recipe_names
from ttsr.training.stages import stages_of
from ttsr.weights.saving import read_metadata


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str], one_thread: None) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`ttsr train` in this process: for what needs no process of its own."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        code = main(["train", *map(str, arguments), "--workers=0"])
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def losses(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "step_s")} for line in lines]


def last_step(folder: Path) -> int:
    return read_checkpoint(folder)["step"]


def test_train_stop_resume_and_use(photos, tmp_path, run_here, forking):
    folder = tmp_path / "run"
    stopped = run_here("debug", "--data", photos, "--out", folder, "--max-time", "0")
    assert stopped.returncode == 3, stopped.stderr
    assert "step 1 of 20" in stopped.stdout and "--resume" in stopped.stdout
    again = run_here("debug", "--data", photos, "--out", folder)
    assert again.returncode == 2 and "holds a run already" in again.stderr
    done = forking.run("-m", "ttsr", "train", "debug", "--data", photos, "--out", folder, "--resume")
    assert "debug: continues after step 1, 2 pairs a step (batch_per: run)" in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("ttsr: debug: step ")]
    assert len(lines) == 19 and "step 20 of 20: rec " in lines[-1]
    assert "lr " in lines[-1] and "0:00:00 left" in lines[-1]
    assert done.returncode == 0, done.stderr
    assert "step 20 of 20" in done.stdout and "finished" in done.stdout
    assert "steps/s" in done.stdout and "GB of memory at most" in done.stdout
    assert [line["step"] for line in losses(folder)] == list(range(1, 21))
    file = folder / "debug.safetensors"
    assert ttsr.load(file).config.channels == 8
    assert "name: debug" in read_metadata(file).provenance.recipe
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints",
        "debug.safetensors",
        "environment.json",
        "log.jsonl",
        "recipe.yaml",
        "tensorboard",
    ]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_process_group_stops_and_saves(photos, tmp_path, forking, how):
    """As a terminal's Ctrl-C or a job scheduler sends it: to the workers too."""
    folder = tmp_path / "run"
    arguments = ["debug", "--data", photos, "--out", folder, "--schedule.steps", "100000"]
    with (tmp_path / "out").open("w") as out:
        child = forking.start("-m", "ttsr", "train", *arguments, stdout=out.fileno())
        while not list(folder.glob("checkpoints/*.pt")):
            assert not child.has_ended
            time.sleep(0.05)
        os.killpg(child.pid, how)
        assert child.wait() == 3
    assert "continue with --resume" in (tmp_path / "out").read_text()
    assert losses(folder)[-1]["step"] == last_step(folder)


def test_a_killed_command_resumes_bit_for_bit(photos, tmp_path, run_here, forking):
    """SIGKILL to the process and its workers, wherever it happens to be, twice."""
    arguments = ["debug", "--data", photos, "--checkpoint_steps", "3", "--schedule.steps", "30"]
    assert run_here(*arguments, "--out", tmp_path / "whole").returncode == 0
    folder = tmp_path / "killed"
    for wanted, more in ((5, []), (14, ["--resume"])):
        child = forking.start("-m", "ttsr", "train", *arguments, "--out", folder, *more)
        while not (folder / "log.jsonl").exists() or f'"step": {wanted},' not in (folder / "log.jsonl").read_text():
            assert not child.has_ended
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert last_step(folder) < 30
    assert run_here(*arguments, "--out", folder, "--resume").returncode == 0
    assert losses(folder) == losses(tmp_path / "whole")


LIMITED = """
import resource, runpy, sys
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
runpy.run_module("ttsr", run_name="__main__")
"""


def test_a_full_disk_keeps_the_last_checkpoint(photos, tmp_path, run_here, forking):
    """The system refuses files above a size, as it refuses them on a full disk."""
    folder = tmp_path / "run"
    steps = "--schedule.steps=6"
    assert run_here("debug", "--data", photos, "--out", folder, steps, "--max-time", "0").returncode == 3
    size = (folder / "checkpoints" / "step-00000001.pt").stat().st_size
    command = ["train", "debug", "--data", photos, "--out", folder, steps, "--resume"]
    full = forking.run("-c", LIMITED, str(size // 2), *command)
    assert full.returncode == 2 and "Traceback" not in full.stderr
    *lines, complaint = full.stderr.splitlines()
    assert "cannot be written (File too large)" in complaint
    assert all(line.startswith("ttsr: debug: step ") for line in lines)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000001.pt"]
    assert run_here("debug", "--data", photos, "--out", folder, steps, "--resume").returncode == 0


ADVERSARIAL = [
    "--losses.perceptual=1e-2",
    "--losses.perceptual_features=extractor",
    "--losses.transferal=1e-2",
    "--losses.adversarial=1e-3",
    "--discriminator.channels=4",
    "--discriminator.lr=1e-6",
    "--schedule.pixel_steps=6",
]
KINDS = {
    "rec": [],
    "gan": [*ADVERSARIAL, "--losses.adversarial_kind=bce", "--discriminator.first=false"],
    "gan-paper": [*ADVERSARIAL, "--losses.adversarial_kind=wgan-gp"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_give_the_losses_of_one(photos, tmp_path, run_here, launch, kind):
    """Over gloo on the CPU, the gradient penalty included.

    The rates are low: a rounding error must not grow until it tips a match or the direction of a step.
    """
    arguments = ["debug", "--data", photos, "--device", "cpu", "--batch_size=4", "--losses.contrastive_group=2"]
    arguments += [*KINDS[kind], "--schedule.steps=10", "--optimizer.lr=1e-4", "--optimizer.extractor_lr=1e-5"]
    single = run_here(*arguments, "--out", tmp_path / "one")
    assert single.returncode == 0, single.stderr
    two = launch(2, "train", *arguments, "--out", tmp_path / "two")
    assert two.codes == [0, 0], two.stderr
    assert two.stdout.count("finished") == 1
    ours, theirs = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert len(ours) == len(theirs) == 10
    for line, expected in zip(ours, theirs, strict=True):
        for name in [name for name in line if "gradient" in name]:
            assert line.pop(name) == pytest.approx(expected.pop(name), rel=1e-2)
        assert line == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_two_processes_stop_together_and_go_on(photos, tmp_path, run_here, launch):
    """A run of one process may even go on as two, and the other way round."""
    arguments = ["debug", "--data", photos, "--device", "cpu", "--losses.contrastive_group=1", "--schedule.steps=6"]
    begun = launch(2, "train", *arguments, "--out", tmp_path, "--max-time=0")
    assert "step 1 of 6" in begun.stdout and begun.stdout.count("stopped, continue with") == 1, begun.stderr
    assert begun.codes == [3, 3] and last_step(tmp_path) == 1
    assert (tmp_path / "debug.safetensors").exists()
    done = run_here(*arguments, "--out", tmp_path, "--resume")
    assert done.returncode == 0 and [line["step"] for line in losses(tmp_path)] == [1, 2, 3, 4, 5, 6]
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert [part["processes"] for part in environment] == [2, 1]


def test_accelerate_launches_it_too(photos, tmp_path, forking):
    """Without a GPU it starts one process here; several are torchrun's to start."""
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes=1", "--num_machines=1"]
    launcher += ["--mixed_precision=no", "--dynamo_backend=no"]
    command = ["-m", "ttsr", "train", "debug", "--data", photos, "--out", tmp_path, "--schedule.steps=5"]
    done = forking.run(*launcher, *command)
    assert done.returncode == 0 and "finished" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def vgg19_file(tmp_path_factory) -> Path:
    """A file in torchvision's layout, with random values."""
    torch.manual_seed(0)
    places = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
    state = {}
    for place, layer in zip(places, [m for m in VGG19().modules() if isinstance(m, torch.nn.Conv2d)], strict=True):
        state |= {f"features.{place}.{name}": value for name, value in layer.state_dict().items()}
    file = tmp_path_factory.mktemp("vgg19") / "vgg19.pth"
    torch.save(state, file)
    return file


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_takes_two_steps(photos, vgg19_file, tmp_path, name):
    """Of each stage; as it is named, but for small crops, small batches, and no long phases before the last one."""
    data, recipe = photos, read_recipe(name)
    smaller = ["--batch_size=1", "--losses.contrastive_group=1", "--schedule.steps=2", "--log_steps=1"]
    smaller += ["--schedule.pixel_steps=0", "--discriminator.init_steps=0", "--start=''"]
    if recipe.pairs == "cufed":
        smaller += ["--cufed.hr_size=48", "--cufed.ref_size=48"]
        data = tmp_path / "data"
        for folder in ("input", "ref"):
            (data / folder).mkdir(parents=True)
            with Image.open(photos / "photo_0.png") as photo:
                photo.crop((0, 0, 64, 48)).save(data / folder / "a.png")
    else:
        smaller += ["--photos.only_open=false", "--photos.hr_size=48", "--photos.ref_size=48"]
    if recipe.extractor.start == "contrastive":
        smaller += ["--schedule.contrastive_steps=1"]
    places = ["--data", data, "--out", tmp_path / "run", "--vgg19", vgg19_file]
    assert main(["train", name, *smaller, *map(str, places), "--workers=0"]) == 0
    assert (tmp_path / "run" / f"{name}.safetensors").is_file()
    for stage, folder in stages_of(recipe, tmp_path / "run"):
        last, weights = losses(folder)[-1], stage.losses
        terms = {term for term in ("perceptual", "transferal", "adversarial") if getattr(weights, term)}
        terms = {"contrastive"} if stage.trains == "extractor" else {"rec", *terms}
        assert last["step"] == 2 and terms <= last.keys() and ("adversarial" in terms) == ("gan" in name)


@pytest.mark.parametrize("pixel_steps, when", [(9, ", from before the adversarial loss"), (5, "")])
def test_the_closing_lines_say_which_file_is_the_result_of_a_gan(photos, test_set, tmp_path, capsys, pixel_steps, when):
    run = ["train", "debug", "--data", str(photos), "--out", str(tmp_path), "--workers=0", "--validate", str(test_set)]
    run += ["--schedule.steps=9", f"--schedule.pixel_steps={pixel_steps}", "--validation_steps=9"]
    assert main([*run, "--losses.adversarial=1e-3", "--discriminator.channels=4"]) == 0
    output = capsys.readouterr()
    told = output.out.splitlines()[-3:]
    assert "ttsr: debug: step 9 of 9: validation " in output.err.splitlines()[-1]
    assert " at step 9, " in told[0] and told[0].endswith(f"in {tmp_path / 'best.safetensors'}")
    assert told[1:] == [
        f"that is the best PSNR{when}; the result of the GAN is the last step",
        f"wrote {tmp_path / 'debug.safetensors'}, the last step",
    ]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["debug", "--photos.hr_sise=3"], "debug: unknown field photos.hr_sise"),
        (["debug", "--mined=a"], "--mined a: the recipe takes no mined pairs: set --photos.mined_share"),
        (["debug", "--workers=-1"], "--workers -1: take 0 or more"),
        (["debug", "--resume", "must"], "nothing to resume"),
        (["nothing"], "nothing: no such recipe: use debug"),
        (["debug", "--photos.hr_size=640"], "can be used; the first: "),
        (["debug", "--seed=99999999999999999999999"], "seed must lie in"),
        (["debug", "--vgg19=nowhere.pth", "--extractor.start=vgg19"], "nowhere.pth"),
        (["debug", "--validate=nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line(photos, tmp_path, capsys, arguments, complaint):
    assert main(["train", *arguments, "--data", str(photos), "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert complaint in told[-1]
    # The pictures that are left out have lines of their own.
    assert all(line.startswith("ttsr: left out: ") for line in told[:-1])


@pytest.mark.parametrize("text, seconds", [("90", 90), ("1:30", 90), ("01:00:00", 3600), ("0.5", 0.5)])
def test_times(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "1h", "1:2:3:4", "-5"])
def test_bad_times(text):
    with pytest.raises(RecipeError, match="HH:MM:SS"):
        parse_time(text)
