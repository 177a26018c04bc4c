import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.images.reading import read_picture
from ttsr.images.writing import write_picture
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16)))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(model, path)
    return path


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(name: str, *shape: int, seed: int = 0) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)
    return path


def lines(text: str) -> list[dict[str, Any]]:
    """JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


def files() -> list[str]:
    return sorted(str(path) for path in Path(".").rglob("*") if path.is_file())


def test_one_picture_with_two_references(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lr, refs = picture("lr.png", 6, 9, 3), [picture("a.png", 18, 21, 3), picture("b.jpg", 8, 8, 3)]
    arguments = [
        "upscale",
        "lr.png",
        "--ref",
        "a.png",
        "--ref",
        "b.jpg",
        "--model",
        str(weights),
        "--device",
        "cpu",
    ]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("lr.png 9x6 -> lr_x4.png 36x24 in ")
    assert "peak memory" in out and "mean relevance 0." in out
    assert (out.count("\n"), err) == (1, "")

    upscaler = Upscaler(weights, device="cpu")
    upscaler.set_references(list(refs))
    np.testing.assert_array_equal(np.array(Image.open("lr_x4.png")), np.array(upscaler.upscale(lr).image))


def test_the_search_is_chosen_and_reported(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lr, reference = picture("lr.png", 40, 48, 3), picture("a.png", 160, 184, 3)
    arguments = ["upscale", "lr.png", "--ref", "a.png", "--model", str(weights), "--device", "cpu", "--json"]
    assert main([*arguments, "--search", "coherent"]) == 0
    assert lines(capsys.readouterr().out)[-1]["search"] == "coherent"
    upscaler = Upscaler(weights, device="cpu", search="coherent")
    expected = np.array(upscaler.upscale(lr, upscaler.encode_references(reference)).image)
    np.testing.assert_array_equal(np.array(Image.open("lr_x4.png")), expected)
    assert main(arguments) == 0
    assert lines(capsys.readouterr().out)[-1]["search"] == "exact"
    assert (np.array(Image.open("lr_x4.png")) != expected).any()
    assert main([*arguments, "--search", "fastest"]) == 2


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_the_format_follows_the_name(weights: Path, suffix: str) -> None:
    picture("lr.png", 5, 4, 3)
    assert main(["upscale", "lr.png", "--ref", "lr.png", "-o", f"out.{suffix}", "--model", str(weights)]) == 0
    with Image.open(f"out.{suffix}") as image:
        assert (image.size, image.format) == ((16, 20), {"jpg": "JPEG"}.get(suffix, suffix.upper()))


def test_without_reference_it_says_so(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("lr.png", 1, 1, 3)
    assert main(["upscale", "lr.png", "--model", str(weights)]) == 0
    assert "its own reference" in capsys.readouterr().err
    assert Image.open("lr_x4.png").size == (4, 4)


def test_a_folder(weights: Path) -> None:
    picture("in/a.png", 4, 4, 3)
    picture("in/b.jpg", 4, 5, 3)
    picture("in/c.webp", 4, 6, 3)
    assert main(["upscale", "in", "--ref", "in/a.png", "--model", str(weights)]) == 0
    assert [name for name in files() if "x4" in name] == [
        "in_x4/a_x4.png",
        "in_x4/b_x4.png",
        "in_x4/c_x4.png",
    ]


def test_one_bad_file_does_not_stop_the_rest(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("in/a.png", 4, 4, 3)
    Path("in/b.png").write_bytes(b"no picture")
    Path("in/c.png").touch()
    picture("in/d.png", 4, 4, 3)
    assert main(["upscale", "in", "absent.png", "-o", "out", "--ref", "in/a.png", "--model", str(weights)]) == 2
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["in/a.png", "in/d.png"]
    lines = err.splitlines()
    assert len(lines) == 3
    for name in ("absent.png", "in/b.png", "in/c.png"):
        assert sum(line.startswith(f"ttsr: {name}: ") for line in lines) == 1
    assert [name for name in files() if name.startswith("out")] == ["out/a_x4.png", "out/d_x4.png"]


def test_bad_places_do_not_stop_the_rest(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png", "taken.png", "x" * 251 + ".png"):
        picture(name, 4, 4, 3)
    Path("taken_x4.png").mkdir()
    inputs = ["a.png", "/proc/version", "absent/sub/x.png", "y" * 300, "taken.png", "x" * 251 + ".png", "b.png"]
    assert main(["upscale", *inputs, "--ref", "a.png", "--model", str(weights)]) == 2
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["a.png", "b.png"]
    for line, message in zip(
        err.splitlines(),
        [
            "/proc/version: ",
            "absent/sub/x.png: there is no such file",
            "File name too long",
            "taken_x4.png: is a folder",
            "File name too long",
        ],
        strict=True,
    ):
        assert line.startswith("ttsr: ") and message in line
    assert not Path("absent").exists()


def test_two_pictures_that_would_become_one_file(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on a file system that does not tell A.png from a.png; here by a link within the folder."""
    picture("in/one/a.png", 4, 4, 3)
    picture("in/two/a.png", 4, 5, 3)
    Path("out/one").mkdir(parents=True)
    Path("out/two").symlink_to("one")
    arguments = ["upscale", "in", "-r", "--ref", "in/one/a.png", "-o", "out", "--model", str(weights)]
    for _ in range(2):  # what an earlier run has left is replaced
        assert main(arguments) == 2
        assert "out/two/a_x4.png: is the result of in/one/a.png already" in capsys.readouterr().err
        assert Image.open("out/one/a_x4.png").size == (16, 16)


def test_a_folder_that_holds_nothing_is_not_made(weights: Path) -> None:
    assert main(["upscale", "absent.png", "-o", "out/", "--model", str(weights)]) == 2
    assert not Path("out").exists()


def test_the_longest_names(weights: Path) -> None:
    name = "x" * 245  # of which _x4.png makes 252 bytes, and 255 are allowed
    picture(f"{name}.png", 4, 4, 3)
    assert main(["upscale", f"{name}.png", "--model", str(weights)]) == 0
    assert Image.open(f"{name}_x4.png").size == (16, 16)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_reader_that_leaves_does_not_stop_the_work(weights: Path, forking: Any, closed: str) -> None:
    for name in ("a", "b", "c"):
        picture(f"{name}.png", 4, 4, 3)
    (left, unread), (read, written) = os.pipe(), os.pipe()
    os.close(left)
    streams = {closed: unread, "stderr" if closed == "stdout" else "stdout": written}
    command = ["upscale", "a.png", "b.png", "no.png", "c.png", "--model", weights]
    process = forking.start("-m", "ttsr", *command, **streams)
    os.close(unread)
    os.close(written)
    with open(read) as stream:
        text = stream.read()
    assert process.wait() == 2
    assert [name for name in files() if "x4" in name] == ["a_x4.png", "b_x4.png", "c_x4.png"]
    if closed == "stdout":
        assert "no.png: there is no such file" in text and "Traceback" not in text
    else:
        assert len(text.splitlines()) == 3


def test_names_that_the_terminal_cannot_show(weights: Path) -> None:
    name = os.fsdecode("Brücke".encode() + b"\xff")
    picture(f"{name}.png", 4, 4, 3)
    done = subprocess.run(
        [sys.executable, "-m", "ttsr", "upscale", f"{name}.png", f"no{name}.png", "--model", str(weights)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert done.returncode == 2
    assert done.stdout.startswith("Br\\xfccke\\udcff.png 4x4 -> Br\\xfccke\\udcff_x4.png 16x16")
    assert "noBr\\xfccke\\udcff.png: there is no such file" in done.stderr
    assert Path(f"{name}_x4.png").exists()


def test_json_is_all_of_stdout(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    picture("a.png", 4, 6, 3)
    Path("b.png").write_bytes(b"no picture")
    assert main(["upscale", "b.png", "a.png", "--model", str(weights), "--json", "--device", "cpu"]) == 2
    out, err = capfd.readouterr()
    error, entry, run = lines(out)
    assert (error["type"], error["input"]) == ("error", "b.png")
    assert "not a picture" in error["error"]
    assert "not a picture" in err
    assert (entry["type"], entry["input"], entry["output"]) == ("picture", "a.png", "a_x4.png")
    assert (entry["input_size"], entry["output_size"]) == ([6, 4], [24, 16])
    assert entry["peak_memory_bytes"] > 10**7
    assert 0 < entry["mean_relevance"] <= 1
    assert entry["estimate"]["seconds"] >= 0
    assert entry["estimate"]["memory_bytes"] > 10**7
    assert entry["own_reference"] is True
    assert run["type"] == "run"
    assert (run["device"], run["precision"], run["references"]) == ("cpu", "fp32", [])
    assert (run["pictures"], run["errors"], run["stopped_by"]) == (1, 1, None)
    assert run["seconds"] >= entry["seconds"] > 0


def test_json_tells_what_stopped_everything(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png", 4, 4, 3)
    assert main(["upscale", "a.png", "--ref", "absent.png", "--model", str(weights), "--json"]) == 2
    (run,) = lines(capsys.readouterr().out)
    assert run["stopped_by"] == "absent.png: there is no such file"
    assert (run["pictures"], run["errors"]) == (0, 0)


def test_bad_input_is_one_line_and_writes_nothing(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("lr.png", 4, 4, 3)
    picture("small.png", 3, 8, 3)
    Path("broken.safetensors").write_bytes(b"x" * 100)
    Path("empty").mkdir()
    Path("link.png").symlink_to("lr.png")
    before = files()
    usual = ["--model", str(weights)]
    for arguments, message in (
        (["absent.png", *usual], "absent.png: there is no such file"),
        (["empty", *usual], "no pictures"),
        (["lr.png", "--ref", "small.png", *usual], "small.png: a reference needs at least 4x4"),
        (["lr.png", "--ref", "absent.png", *usual], "absent.png: there is no such file"),
        (["lr.png", "-o", "lr.png", *usual], "is the output and an input"),
        (["lr.png", "-o", "link.png", *usual], "is the output and an input"),
        (["lr.png", "--ref", "small.png", "-o", "small.png", *usual], "is the output and an input"),
        (["lr.png", "-o", "out.bmp", *usual], "cannot tell the format"),
        (["lr.png", "-o", "absent/out.png", *usual], "no such folder"),
        (["lr.png", "small.png", "-o", "out.webp", *usual], "names one picture"),
        (["lr.png", "", *usual], "'' names no picture"),
        (["lr.png", "-o", "", *usual], "names no file"),
        (["lr.png", "-o", "x" * 300 + ".png", *usual], "File name too long"),
        (["y" * 300 + ".png", *usual], "File name too long"),
        (["lr.png", "--ref", "y" * 300 + ".png", *usual], "File name too long"),
        (["lr.png", "--model", "z" * 300 + ".pth"], "z.pth: "),
        (["lr.png", "--model", "z" * 300], "no weights are named z"),
        (["lr.png", "--scale", "5", *usual], "--scale"),
        (["lr.png", "--scale", "2", "--size", "8x8", *usual], "a scale and a size are both given"),
        (["lr.png", "--size", "0x8", *usual], "'0x8' is no size"),
        (["lr.png", "--size", "-8x8", *usual], "-8x8"),
        (["lr.png", "--size", "65x64", *usual], "65x64 is more than 16 times the size"),
        (["lr.png", "--format", "bmp", *usual], "--format"),
        (["lr.png", "--format", "png", "-o", "out.jpg", *usual], "out.jpg: is not png by its name"),
        (["lr.png", "--quality", "80", *usual], "lr_x4.png: is written without loss"),
        (["lr.png", "--quality", "101", "--format", "jpg", *usual], "--quality 101: is not from 1 to 100"),
        (["lr.png", "--quality", "high", "--format", "jpg", *usual], "--quality"),
        (["lr.png", "--suffix", "a/b", *usual], "cannot be part of a file's name"),
        (["lr.png", "--suffix", "", *usual], "is the output and an input"),
        ([".", "--suffix", "", *usual], "have no folder to go to"),
        (["lr.png", "--model", "no-such-model"], "no-such-model"),
        (["lr.png", "--model", "broken.safetensors"], "broken.safetensors"),
    ):
        assert main(["upscale", *arguments]) == 2
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if "its own reference" not in line]
        assert (out, len(lines)) == ("", 1)
        assert lines[0].startswith("ttsr: ") and message in lines[0]
        assert files() == before


def test_a_device_that_is_not_there(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    picture("lr.png", 4, 4, 3)
    assert main(["upscale", "lr.png", "--model", str(weights), "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "ttsr: no CUDA device here (or a PyTorch built without CUDA): use device cpu\n"


def test_the_output_never_replaces_the_model(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("lr.png", 4, 4, 3)
    before = weights.read_bytes()
    Path("model.png").write_bytes(before)
    assert main(["upscale", "lr.png", "--model", "model.png", "-o", "model.png"]) == 2
    assert "model.png: is the output and an input" in capsys.readouterr().err
    assert Path("model.png").read_bytes() == before


def test_what_was_changed_is_said(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("deep.ppm").write_bytes(b"P6 4 4 65535\n" + bytes(96))
    Image.new("RGBA", (4, 4)).save("clear.png")
    assert main(["upscale", "deep.ppm", "--ref", "deep.ppm", "--model", str(weights)]) == 0
    assert (
        capsys.readouterr().err.count("ttsr: deep.ppm: it holds more than 8 bits a channel and was reduced to 8\n") == 1
    )
    assert main(["upscale", "clear.png", "--ref", "deep.ppm", "-o", "out.jpg", "--model", str(weights)]) == 0
    assert "ttsr: out.jpg: JPEG has no transparency: it was laid on white\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        (["--scale", "2"], "lr_x2.png", (18, 12)),
        (["--scale", "3", "--format", "jpg", "--quality", "50"], "lr_x3.jpg", (27, 18)),
        (["--scale", "8", "--suffix", "-large"], "lr-large.png", (72, 48)),
        (["--size", "40x30", "--format", "tiff"], "lr_40x30.tiff", (40, 30)),
        (["--size", "x30", "--suffix", "", "--format", "webp"], "lr.webp", (45, 30)),
        (["--size", "45x", "-o", "sub/"], "sub/lr_45x.png", (45, 30)),
    ],
)
def test_sizes_formats_and_suffixes(weights: Path, options: list[str], name: str, size: tuple[int, int]) -> None:
    picture("lr.png", 6, 9, 3)
    assert main(["upscale", "lr.png", "--ref", "lr.png", "--model", str(weights), *options]) == 0
    assert files() == sorted(["lr.png", name])
    with Image.open(name) as image:
        assert image.size == size
        assert image.format == {"jpg": "JPEG", "tiff": "TIFF", "webp": "WEBP"}.get(name.split(".")[-1], "PNG")


def test_sub_folders_and_going_on(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["in/a.png", "in/sub/b.jpg", "in/sub/deep/a.png"]
    for name in names:
        picture(name, 4, 4, 3)
    Path("in/sub/bad.png").write_bytes(b"no picture")
    arguments = ["upscale", "in", "-r", "--ref", "in/a.png", "--model", str(weights), "--skip-existing", "--json"]
    assert main(arguments) == 2
    out = [name for name in files() if name.startswith("in_x4")]
    assert out == ["in_x4/a_x4.png", "in_x4/sub/b_x4.png", "in_x4/sub/deep/a_x4.png"]
    run = lines(capsys.readouterr().out)[-1]
    assert (run["pictures"], run["skipped"], run["errors"]) == (3, 0, 1)
    Path("in_x4/sub/b_x4.png").unlink()
    before = Path("in_x4/a_x4.png").stat().st_mtime_ns
    assert main(arguments) == 2
    printed = capsys.readouterr()
    error, entry, run = sorted(lines(printed.out), key=lambda line: line["type"])
    assert (error["input"], entry["input"]) == ("in/sub/bad.png", "in/sub/b.jpg")
    assert (run["pictures"], run["skipped"], run["errors"]) == (1, 2, 1)
    assert "1 upscaled, 2 skipped, 1 failed" in printed.err
    assert Path("in_x4/a_x4.png").stat().st_mtime_ns == before


def test_a_picture_that_the_format_cannot_hold_does_not_stop_the_rest(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture("in/a.png", 1, 4096, 3)
    picture("in/b.png", 4, 4, 3)
    options = ["--format", "webp", "--ref", "in/b.png", "--model", str(weights)]
    assert main(["upscale", "in", *options]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("in/b.png 4x4 -> ") and out.count("\n") == 1
    assert "a_x4.webp: WEBP ends at 16383 pixels a side and the result has 16384x4: name it .png or .tiff" in err
    assert err.count("\n") == 1 and files() == ["in/a.png", "in/b.png", "in_x4/b_x4.webp"]
    assert main(["upscale", "in", "--size", "80x80", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "in/a.png: 80x80 is more than 16 times the size of a picture of 4096x1" in err
    assert "in/b.png: 80x80 is more than 16 times the size of a picture of 4x4" in err


def test_stretching_is_said(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("lr.png", 4, 8, 3)
    picture("a.png", 4, 8, 3)
    assert main(["upscale", "lr.png", "--size", "16x16", "--ref", "a.png", "--model", str(weights)]) == 0
    assert capsys.readouterr().err == "ttsr: lr.png: its proportions are not those of the size asked for\n"


@pytest.mark.parametrize("suffix", ["png", "tiff", "jpg"])
def test_sixteen_bits_from_file_to_file(weights: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    write_picture(read_picture(values), "deep.tiff")
    reference = picture("a.png", 16, 16, 3)
    assert main(["upscale", "deep.tiff", "--ref", "a.png", "-o", f"out.{suffix}", "--model", str(weights)]) == 0
    assert ("JPEG holds 8 bits a channel" in capsys.readouterr().err) == (suffix == "jpg")
    upscaler = Upscaler(weights)
    expected = upscaler.upscale(values, upscaler.encode_references(reference)).picture
    assert expected.bit_depth == 16 and (expected.rgb % 257).any()
    written = read_picture(f"out.{suffix}")
    assert written.bit_depth == (8 if suffix == "jpg" else 16)
    if suffix != "jpg":
        np.testing.assert_array_equal(written.rgb, expected.rgb)


# Half a file is written, and then nothing more happens until the process is stopped.
STUCK_IN_WRITING = """
import sys, time
from pathlib import Path
from PIL import Image
from ttsr.cli import main

def save(self, path, **options):
    Path(path).write_bytes(b"half a file")
    print("writing", flush=True)
    time.sleep(600)

Image.Image.save = save
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_stopped_run_leaves_no_half_written_output(
    weights: Path, forking: Any, stop: signal.Signals, code: int
) -> None:
    picture("lr.png", 4, 4, 3)
    Path("out.png").write_bytes(b"from before")
    arguments = ["upscale", "lr.png", "--ref", "lr.png", "-o", "out.png", "--model", weights]
    (out, stdout), (err, stderr) = os.pipe(), os.pipe()
    process = forking.start("-c", STUCK_IN_WRITING, *arguments, stdout=stdout, stderr=stderr)
    os.close(stdout)
    os.close(stderr)
    with open(out) as told, open(err) as errors:
        assert told.readline() == "writing\n"
        os.kill(process.pid, stop)
        assert process.wait() == code
        assert "Traceback" not in errors.read()
    assert Path("out.png").read_bytes() == b"from before"
    if stop != signal.SIGKILL:
        assert files() == ["lr.png", "out.png"]


def test_a_plan_is_printed_and_nothing_done(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png", 4, 6, 3)
    picture("b.png", 8, 8, 3)
    before = files()
    command = ["upscale", "a.png", "b.png", "--ref", "b.png", "-o", "new/", "--model", str(weights), "--plan"]
    assert main([*command, "--max-memory", "64GiB"]) == 0
    for line, start in zip(capsys.readouterr().out.splitlines(), ("a.png: 6x4, about ", "b.png: 8x8, "), strict=True):
        assert line.startswith(start) and line.endswith(" GB")
    assert main([*command, "--json"]) == 0
    first, second, run = lines(capsys.readouterr().out)
    assert [first["type"], second["type"], run["type"]] == ["plan", "plan", "run"]
    assert first["input_size"] == [6, 4] and first["seconds"] > 0 and first["memory_bytes"] > 10**7
    assert files() == before


def test_a_memory_limit_that_is_too_small_says_the_least(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png", 4, 6, 3)
    command = ["upscale", "a.png", "--ref", "a.png", "--model", str(weights), "--max-memory"]
    assert main([*command, "1MB"]) == 2
    error = capsys.readouterr().err
    assert "a.png: this needs at least" in error and "more than the" in error and "Traceback" not in error
    assert not Path("a_x4.png").exists()
    assert main([*command, "much"]) == 2
    assert capsys.readouterr().err == "ttsr: 'much' is no amount of memory: give one such as 4GiB, 4GB or 3500MB\n"


def test_a_base_takes_the_textures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, size in (
        ("small.png", (12, 10)),
        ("other.png", (48, 40)),
        ("ref.png", (64, 64)),
        ("wrong.png", (47, 40)),
    ):
        Image.effect_noise(size, 60).convert("RGB").save(name)
    common = ["--device", "cpu", "--precision", "fp32"]
    for base in ("small.png", "wrong.png"):
        assert main(["upscale", "small.png", "--ref", "ref.png", "--base", base, *common]) == 2
        assert "is not four times as large as the picture" in capsys.readouterr().err
    assert main(["upscale", "small.png", "--base", "other.png", *common]) == 2
    assert "--base without --ref" in capsys.readouterr().err
    assert main(["upscale", "small.png", "ref.png", "--ref", "ref.png", "--base", "other.png", *common]) == 2
    assert "name one picture" in capsys.readouterr().err
    assert main(["upscale", "small.png", "--ref", "ref.png", "--base", "other.png", "-o", "other.png", *common]) == 2
    assert "other.png" in capsys.readouterr().err
    assert main(["upscale", "small.png", "--ref", "ref.png", "--base", "other.png", "-o", "out.png", *common]) == 0
    assert Image.open("out.png").size == (48, 40)
