"""Required gains, the order of references, and which pictures are shown, on invented scores."""

from collections.abc import Mapping

import pytest
from model_card.measuring import NUMBERED, exhibits, with_every_level
from model_card.tables import REQUIRED_GAINS, RequiredGain, order, required_gains_table

from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.evaluation.report import Report, make_rows
from ttsr.evaluation.scored_picture import PictureScore


def scored(number: int, reference: ReferenceChoice, psnr: float, *, substituted: bool = False) -> PictureScore:
    model, bicubic = {"paper-y": Score(psnr, 0.8, 0.02, 0.1, 0.9)}, {"paper-y": Score(25.0, 0.6, 0.04, 0.3, 0.7)}
    return PictureScore(
        number, f"{number:03d}", (40, 36), reference, ("r.png",), substituted, (40, 36), model, bicubic, 0.5, 1.0
    )


def reported(means: Mapping[ReferenceChoice, float], *, lacking: int = 0) -> Report:
    """One picture with these PSNRs and a bicubic of 25 dB, and so many more that lack reference 5."""
    scores = [scored(0, reference, psnr) for reference, psnr in means.items()]
    scores += [
        scored(number, reference, 30.0, substituted=reference == "5")
        for number in range(1, lacking + 1)
        for reference in means
    ]
    return Report((PAPER_Y,), tuple(make_rows("m", scores, list(means))))


@pytest.mark.parametrize(
    ("gain", "measured", "met"),
    [
        (RequiredGain("1", None, 2.1), 2.5, True),
        (RequiredGain("1", None, 2.501), 2.5, False),
        (RequiredGain("1", "none", 1.5), 1.5, True),
        (RequiredGain("unrelated", "none", -0.05), -0.0625, False),
        (RequiredGain("unrelated", "none", -0.07), -0.0625, True),
    ],
)
def test_required_gains_are_compared_unrounded(gain: RequiredGain, measured: float, met: bool) -> None:
    report = reported({"1": 27.5, "none": 26.0, "unrelated": 25.9375})
    assert gain.measured(report) == measured
    assert gain.is_met(report) is met


def test_required_gains_table_tells_which_are_missed() -> None:
    means: dict[ReferenceChoice, float] = {"1": 28.41, "none": 27.0, "lr": 26.99, "unrelated": 26.985}
    lines = required_gains_table(reported(means)).splitlines()[2:]
    assert len(lines) == len(REQUIRED_GAINS)
    assert lines[0] == "| reference 1 over bicubic | +3.40 dB | +3.410 dB | met |"
    assert lines[2].endswith("| +2.00 dB | +1.990 dB | **missed** |")
    assert lines[4] == "| unrelated reference over no reference | -0.02 dB | -0.015 dB | met |"


def test_order_is_judged_on_pictures_with_every_reference() -> None:
    falling = reported(dict(zip(NUMBERED, (29, 28, 27, 26, 25.5), strict=True)), lacking=2)
    full = with_every_level(falling)
    assert full is not None and full.num_pictures == 1
    assert order(falling).endswith("PSNR falls from each reference to the next, less similar one.")
    rising = reported(dict(zip(NUMBERED, (29, 28, 28.25, 26, 27), strict=True)), lacking=2)
    assert order(rising).endswith("from 2 to 3 by +0.25 dB, from 4 to 5 by +1.00 dB.")


def test_no_picture_with_every_reference() -> None:
    scores = [scored(0, reference, 27.0, substituted=reference != "1") for reference in NUMBERED]
    report = Report((PAPER_Y,), tuple(make_rows("m", scores, NUMBERED)))
    assert with_every_level(report) is None
    assert order(report) == "No picture has all five references, so that their order cannot be judged."


def shown(count: int) -> dict[str, list[int]]:
    """Numbers of the exhibits of pictures whose gain falls with their number, given from the worst on."""
    numbers: dict[str, list[int]] = {"best": [], "median": [], "worst": []}
    for exhibit in exhibits([scored(number, "1", 40 - number) for number in reversed(range(count))]):
        numbers[exhibit.category].append(exhibit.score.number)
        assert exhibit.file_name == f"{exhibit.category}-{len(numbers[exhibit.category])}.jpg"
    return numbers


def test_best_median_and_worst() -> None:
    assert shown(36) == {"best": [0, 1, 2], "median": [16, 17, 18, 19], "worst": [33, 34, 35]}
    assert shown(10) == {"best": [0, 1, 2], "median": [3, 4, 5, 6], "worst": [7, 8, 9]}


def test_few_pictures_are_shown_once() -> None:
    assert shown(8) == {"best": [0, 1, 2], "median": [3, 4], "worst": [5, 6, 7]}
    assert shown(4) == {"best": [0, 1, 2], "median": [], "worst": [3]}
    assert shown(2) == {"best": [0, 1], "median": [], "worst": []}
