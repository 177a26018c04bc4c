"""`ttsr upscale` of a film."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.video.film import open_film
from ttsr.weights.saving import save

COMMON = ["--model", "model.safetensors", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aloe: NDArray[np.uint8]) -> Path:
    """A film of 6 frames of 16x12, a reference, and a small network."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), tmp_path / "model.safetensors")
    Image.fromarray(aloe[:48, :64]).save("sharp.png")
    write_film(Path("film.mp4"), [aloe[4 * n : 4 * n + 48, :64][::4, ::4] for n in range(6)])
    return tmp_path


def write_film(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_film_is_upscaled_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upscale", "film.mp4", "--ref", "sharp.png", *COMMON]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("film.mp4 16x12 -> film_x4.mp4 64x48, 6 frames in ") and err == ""
    made = open_film("film_x4.mp4")
    assert (made.size, made.num_frames) == ((64, 48), 6)
    arguments = ["-o", "out/", "--scale", "2", "--quality", "90", "--suffix", "_large", "--ref-every", "3", "--json"]
    assert main(["upscale", "film.mp4", "--ref", "sharp.png", *COMMON, *arguments]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["type"], facts["output"], facts["output_size"]) == ("film", "out/film_large.mp4", [32, 24])
    assert (facts["frames"], facts["resumed_at"], facts["notes"]) == (6, 0, [])
    assert facts["references"][0]["name"] == "sharp.png" and 0 < facts["mean_relevance"] <= 1
    assert main(["upscale", "film.mp4", "-o", "out/film_large.mp4", "--skip-existing", *COMMON]) == 0
    assert "is there already" in capsys.readouterr().err


def test_the_plan_is_of_the_film(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upscale", "film.mp4", "--ref", "sharp.png", "--plan", *COMMON]) == 0
    assert capsys.readouterr().out.startswith("film.mp4: 16x12, 6 frames, about ")
    assert main(["upscale", "film.mp4", "--plan", "--json", *COMMON]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["type"] == "plan" and plan["frames"] == 6 and plan["seconds"] > 0
    assert sorted(path.name for path in Path().iterdir()) == ["film.mp4", "model.safetensors", "sharp.png"]


def test_references_are_found_in_a_folder(capsys: pytest.CaptureFixture[str], leuven: NDArray[np.uint8]) -> None:
    Path("photos").mkdir()
    Path("sharp.png").rename("photos/sharp.png")
    Image.fromarray(leuven[:48, :64]).save("photos/other.png")
    assert main(["upscale", "film.mp4", "--ref", "photos", "--max-refs", "1", *COMMON]) == 0
    assert "2 photos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["film.mp4", "sharp.png"], "film.mp4: a film is upscaled by itself: name one film"),
        (["film.mp4", "--maps", "maps/"], "--maps: is for pictures, and film.mp4 is a film: leave out --maps"),
        (["film.mp4", "--base", "sharp.png"], "--base: is for pictures"),
        (["film.mp4", "--format", "png"], "--format: is for pictures"),
        (["film.mp4", "--quality", "101"], "--quality 101: is not from 1 to 100"),
        (["film.mp4", "--ref-every", "1"], "--ref-every 1: is not possible: give a number from 2 on"),
        (["sharp.png", "--ref-every", "5"], "--ref-every: is for films: leave it out"),
        (["film.mp4", "-o", "film.webm"], "film.webm: is no film that can be written by its name: name it .mp4"),
        (["film.mp4", "-o", "film.mp4"], "film.mp4: is the output and an input"),
        (["film.mp4", "--scale", "8"], "film.mp4: films are upscaled four times at most"),
        (["none.mkv"], "none.mkv: there is no such file"),
        (["text.mkv"], "text.mkv: not a film that can be read, or damaged"),
    ],
)
def test_what_is_not_possible_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.mkv").write_text("no film")
    before = sorted(Path().iterdir())
    assert main(["upscale", *arguments, *COMMON]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"ttsr: {message}") and err.count("\n") == 1 and out == ""
    assert sorted(Path().iterdir()) == before


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["upscale", "film.mp4", *COMMON]) == 2
    assert capsys.readouterr().err == 'ttsr: films need the package av (PyAV): pip install "ttsr[video]"\n'


def heed_ctrl_c() -> None:
    """Also where the tests run in the background of a shell, which has its processes ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_run_stopped_by_ctrl_c_leaves_what_is_done(
    aloe: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    write_film(Path("long.mp4"), [aloe[n : n + 12, n : n + 16] for n in range(300)])
    command = [sys.executable, "-m", "ttsr", "upscale", "long.mp4", "--ref", "sharp.png", *COMMON]
    state = Path("long_x4.mp4.unfinished/state.npz")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_ctrl_c) as process:
        while not state.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1]
    assert process.returncode == 130
    assert " of 300 frames are kept in long_x4.mp4.unfinished; the same command goes on from there" in err
    assert "Traceback" not in err and not Path("long_x4.mp4").exists() and state.exists()
    assert not list(Path("long_x4.mp4.unfinished").glob(".ttsr-*"))
    assert main([*command[3:], "--ensemble"]) == 2
    assert "holds an interrupted run with another film, other references" in capsys.readouterr().err
