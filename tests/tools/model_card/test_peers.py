"""Scores of others: read for the pictures that they are of, and compared with ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
import score_peers
from model_card.beside import Contender, contender_of, losses, means_table, pictures_table, wins_table
from model_card.peers import PICTURES, SCORES, read_peers, read_pictures
from PIL import Image

from ttsr.data.cufed5 import list_groups
from ttsr.errors import DataError
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.evaluation.scored_picture import read_ground_truth
from ttsr.evaluation.scoring import evaluate
from ttsr.images.resize import downscale4, upscale4
from ttsr.models.ttsr import TTSR

RUN = {"title": "Peer x4", "package": "peer 1.0", "licence": "MIT", "parameters_in_millions": 0.5, "threads": 1}


@pytest.fixture
def pictures(folder: Path, tmp_path: Path) -> Path:
    """Bicubic by another's name, one level brighter."""
    peer = tmp_path / "pictures" / "peer"
    peer.mkdir(parents=True)
    for group in list_groups(folder):
        brighter = upscale4(downscale4(read_ground_truth(group.hr))).clip(0, 254) + 1
        Image.fromarray(brighter.astype(np.uint8)).save(peer / f"{group.name}.png")
    seconds = {group.name: 2.0 for group in list_groups(folder)}
    (peer / "run.json").write_text(json.dumps({**RUN, "cpu_seconds": seconds}))
    return peer.parent


def truths_of(folder: Path) -> dict[str, np.ndarray]:
    return {group.name: read_ground_truth(group.hr) for group in list_groups(folder)}


def scored(folder: Path, pictures: Path, to: Path) -> dict[str, Any]:
    report = score_peers.scores_of(folder, pictures, [])
    to.write_text(json.dumps(report))
    return report


def test_pictures_are_scored_and_read_again(folder: Path, pictures: Path, tmp_path: Path) -> None:
    report = scored(folder, pictures, tmp_path / "peers.json")
    assert [entry["title"] for entry in report["networks"]] == ["bicubic", "Peer x4"]
    truths = truths_of(folder)
    (peer,) = read_peers(tmp_path / "peers.json", truths)
    assert (peer.title, peer.package, peer.num_parameters, peer.cpu_seconds) == ("Peer x4", "peer 1.0", 500_000, 2.0)
    for name, hr in truths.items():
        with Image.open(pictures / "peer" / f"{name}.png") as image:
            assert peer.scores[name] == pytest.approx(PAPER_Y.score(hr, np.asarray(image)), nan_ok=True)
    assert read_pictures(pictures, "001").keys() == {"Peer x4"}
    assert read_pictures(pictures, "009") == {}


def test_models_of_ours_are_scored_without_and_with_a_reference(
    model: TTSR, folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_peers, "load", lambda name: model)
    entries = score_peers.scores_of(folder, pictures, ["m"])["networks"][2:]
    assert [(entry["title"], entry["reference"]) for entry in entries] == [("m", "none"), ("m", "1")]
    scored = evaluate(model, list_groups(folder), references=("none", "1"), protocols=[PAPER_Y])
    for entry, reference in zip(entries, ("none", "1"), strict=True):
        expected = {s.name: s.model["paper-y"].psnr for s in scored if s.reference == reference}
        assert {name: picture["psnr"] for name, picture in entry["pictures"].items()} == expected
        assert entry["means"]["psnr"] == pytest.approx(sum(expected.values()) / 3)
        assert entry["means"]["cpu_seconds"] > 0


def test_others_are_given_the_small_photo_that_ours_are(folder: Path) -> None:
    found = peers.ground_truths(folder)
    assert list(found) == ["000", "001", "002"]
    for name, file in found.items():
        with Image.open(file) as image:
            odd = image.crop((0, 0, image.width - 1, image.height - 2))
            lr = peers.shrink(odd)
        assert lr.dtype == np.float32 and lr.shape == (3, odd.height // 4, odd.width // 4)
        expected = downscale4(np.asarray(odd)[: odd.height // 4 * 4, : odd.width // 4 * 4])
        assert np.array_equal((lr * 255).round().transpose(1, 2, 0), expected), name


def test_some_of_the_pictures_are_enough_and_others_are_not(folder: Path, pictures: Path, tmp_path: Path) -> None:
    scored(folder, pictures, tmp_path / "peers.json")
    truths = truths_of(folder)
    (peer,) = read_peers(tmp_path / "peers.json", {"001": truths["001"]})
    assert peer.scores.keys() == {"001"}
    assert read_peers(tmp_path / "peers.json", {**truths, "001": truths["001"] ^ 1}) == []
    assert read_peers(tmp_path / "peers.json", {**truths, "777": truths["001"]}) == []


@pytest.mark.parametrize(("name", "size"), [("001", (8, 8)), ("001", None)])
def test_a_picture_that_is_missing_or_of_another_size(
    folder: Path, pictures: Path, name: str, size: tuple[int, int] | None
) -> None:
    file = pictures / "peer" / f"{name}.png"
    file.unlink()
    if size is not None:
        Image.new("RGB", size).save(file)
    with pytest.raises(ValueError, match=rf"{name}\.png"):
        score_peers.scores_of(folder, pictures, [])


def test_files_that_are_not_ours_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no pictures of networks"):
        score_peers.scores_of(folder, tmp_path, [])
    (tmp_path / "peers.json").write_text("{}")
    with pytest.raises(DataError, match="not written by benchmarks"):
        read_peers(tmp_path / "peers.json", {})
    with pytest.raises(DataError, match="cannot be read"):
        read_peers(tmp_path / "nothing.json", {})
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer" / "run.json").write_text("[]")
    with pytest.raises(DataError, match="not written by benchmarks"):
        read_pictures(tmp_path, "001")


def contender(title: str, *psnrs: float, gmsd: float = 0.1, ours: bool = False) -> Contender:
    scores = {f"{n:03d}": Score(psnr, 0.8, 0.02, gmsd, 0.7, 50 * gmsd) for n, psnr in enumerate(psnrs)}
    return Contender(title, "1" if ours else None, 500_000, scores, 1.25)


def test_wins_are_counted_by_picture_and_metric() -> None:
    own, peer = contender("m", 30, 28, 27, gmsd=0.05, ours=True), contender("P", 29, 28.5, 26)
    (row,) = wins_table([own], [peer]).splitlines()[2:]
    # PSNR is higher on two, SSIM and HaarPSI are equal, and GMSD, of which less is better as of NIQE, is lower on all.
    assert row == "| m, reference 1 | P | +0.50 dB | 2 of 3 | 0 of 3 | 3 of 3 | 0 of 3 | 3 of 3 |"
    sentence = losses(own, peer, {"001": "church"})
    assert sentence.endswith("worst on 001 (church) -0.50 dB, 000 +1.00 dB, 002 +1.00 dB.")


def test_the_best_of_each_metric_is_bold() -> None:
    own, peer = contender("m", 30, gmsd=0.05, ours=True), contender("P", 29, gmsd=0.1)
    first, second = means_table([peer, own]).splitlines()[2:]
    assert first == "| P | 0.50 M |  | 29.00 | **0.8000** | 0.1000 | **0.7000** | 5.00 | 1.2 |"
    assert second == "| m | 0.50 M | reference 1 | **30.00** | **0.8000** | **0.0500** | **0.7000** | **2.50** | 1.2 |"
    assert pictures_table([peer, own], {}).splitlines()[2] == "| 000 | 29.00, 0.700 | **30.00**, 0.700 |"


def test_committed_scores_are_of_committed_networks() -> None:
    """What the page shows: two networks, each with its pictures of the examples."""
    report = json.loads(SCORES.read_text("utf-8"))
    titles = [entry["title"] for entry in report["networks"] if "package" in entry]
    assert titles == ["DAT-light x4", "Real-ESRGAN x4plus"]
    for name in ("aloe", "leuven"):
        assert list(read_pictures(PICTURES, name)) == titles
    assert all(entry["pictures"].keys() == report["ground_truths"].keys() for entry in report["networks"])
    assert contender_of(read_peers(SCORES, {})[0]).label == "DAT-light x4"
