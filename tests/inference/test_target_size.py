import pytest

from ttsr.errors import ImageError, UserError
from ttsr.inference.target_size import TargetSize, parse_size


@pytest.mark.parametrize(
    ("size", "result", "suffix"),
    [
        (TargetSize(), (400, 300), "_x4"),
        (TargetSize(scale=3), (300, 225), "_x3"),
        (parse_size("640x480"), (640, 480), "_640x480"),
        (parse_size("333x"), (333, 250), "_333x"),
        (parse_size("x1"), (1, 1), "_x1"),
    ],
)
def test_sizes_and_how_they_are_marked(size: TargetSize, result: tuple[int, int], suffix: str) -> None:
    assert size.of((100, 75)) == result
    assert size.suffix == suffix


@pytest.mark.parametrize("text", ["", "x", "0x5", "5x0", "-3x4", "4", "1.5x2", "3X4", "3x4x5", " 3x4", "99999999x1"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match="is no size: give width and height"):
        parse_size(text)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(UserError, match="0 is not possible"):
        TargetSize(scale=0)
    with pytest.raises(UserError, match="a scale and a size are both given"):
        TargetSize(scale=2, width=7)
    with pytest.raises(ImageError, match="1601x800 is more than 16 times the size of a picture of 100x100"):
        parse_size("1601x800").of((100, 100))
    assert parse_size("1600x1600").of((100, 100)) == (1600, 1600)


def test_changed_proportions_are_noticed() -> None:
    assert parse_size("640x480").stretches((100, 60))
    assert not parse_size("640x480").stretches((101, 76))
    assert not parse_size("640x").stretches((100, 3))
    assert not TargetSize(scale=8).stretches((100, 3))
