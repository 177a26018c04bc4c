"""`ttsr compare` on real pictures, and what it says of bad input."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.cli import main
from ttsr.images.resize import downscale4

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aloe: Pixels, aloe_ref: Pixels) -> None:
    monkeypatch.chdir(tmp_path)
    truth = np.ascontiguousarray(aloe[80:144, 120:200])
    Image.fromarray(truth).save("hr.png")
    Image.fromarray(downscale4(truth)).save("lr.png")
    Image.fromarray(aloe_ref[72:200, 120:300]).save("ref.png")


def compare(*arguments: str) -> int:
    return main(["compare", *arguments, "--device", "cpu"])


def test_writes_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("lr.png", "--ref", "ref.png", "--truth", "hr.png", "-o", "page.html") == 0
    out, err = capsys.readouterr()
    assert out.startswith("page.html: bicubic ") and " dB, with " in out and err == ""
    text = Path("page.html").read_text("utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n") and "ground truth" in text
    assert compare("lr.png", "--ref", "ref.png") == 0
    assert capsys.readouterr().out.startswith("lr_compared.html: ")
    assert "ground truth" not in Path("lr_compared.html").read_text("utf-8")


def test_on_top_of_another_tool_and_over_mirror_images(capsys: pytest.CaptureFixture[str]) -> None:
    Image.open("lr.png").resize((80, 64), Image.Resampling.LANCZOS).save("other.png")
    assert compare("lr.png", "--ref", "ref.png", "--truth", "hr.png", "--base", "other.png", "--ensemble") == 0
    assert " dB, base " in capsys.readouterr().out
    text = Path("lr_compared.html").read_text("utf-8")
    assert "on top of other.png, as the mean of four passes over mirror images." in text
    assert compare("lr.png", "--ref", "ref.png", "--base", "other.png", "-o", "other.png") == 2
    assert compare("lr.png", "--ref", "ref.png", "--base", "lr.png") == 2
    assert "base 20x16: is not four times as large as the picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lr.png"], "lr.png: nothing to compare with: give at least one reference by --ref"),
        (
            ["lr.png", "--ref", "ref.png", "--truth", "ref.png"],
            "but the result of lr.png is 80x64: give the ground truth",
        ),
        (["nothing.png", "--ref", "ref.png"], "nothing.png: there is no such file"),
        (["lr.png", "--ref", "nothing.png"], "nothing.png: there is no such file"),
        (["lr.png", "--ref", "ref.png", "-o", "page.png"], "page.png: is no page by its name: name it .html"),
        (["lr.png", "--ref", "ref.png", "-o", "no/page.html"], "no: there is no such folder to write to"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().iterdir())
    assert compare(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_a_page_that_is_an_input_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ref.png").rename("ref.html")
    assert compare("lr.png", "--ref", "ref.html", "-o", "ref.html") == 2
    assert "ref.html: is the output and an input" in capsys.readouterr().err
