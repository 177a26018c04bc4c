"""The ablation as a command: it stops, resumes, keeps finished rows, and writes the table."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from ablation import __main__ as ablation, runs
from ablation.networks import VARIANTS
from ablation.table import PAPER, Ablation, RowScore, page
from PIL import Image

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scoring import evaluate
from ttsr.training.checkpoint import read_checkpoint
from ttsr.weights.loading import load

pytestmark = pytest.mark.usefixtures("one_thread")


def command(photos: Path, test_set: Path, out: Path, *more: str) -> list[str]:
    sizes = ["--recipe", "debug", "--contrastive-steps", "3", "--steps", "4", "--workers", "0", "--device", "cpu"]
    where = ["--data", str(photos), "--validate", str(test_set), "--out", str(out / "runs")]
    files = ["--json", str(out / "ablation.json"), "--doc", str(out / "ablation.md")]
    return [*where, *sizes, *files, *more]


@pytest.fixture(scope="module")
def unbroken(photos, test_set, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("unbroken")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert ablation.main(command(photos, test_set, out)) == 0
    torch.set_num_threads(before)
    return out


def averages(out: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {v.name: read_checkpoint(out / "runs" / v.name)["average"] for v in VARIANTS}


def scores(out: Path) -> list[dict[str, Any]]:
    rows = json.loads((out / "ablation.json").read_text())["rows"]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_every_row_is_trained_scored_and_listed(unbroken):
    rows = scores(unbroken)
    assert [row["name"] for row in rows] == [variant.name for variant in VARIANTS]
    assert len({row["psnr"] for row in rows}) == len(rows)
    assert len({row["bicubic_psnr"] for row in rows}) == 1
    text = (unbroken / "ablation.md").read_text()
    assert all(variant.label in text for variant in VARIANTS) and "4 steps of 2 pairs" in text


def test_the_papers_last_row_scores_as_evaluate_does(unbroken, test_set):
    """Its network is a plain TTSR, which can be loaded and scored without the ablation."""
    (csfi,) = [row for row in scores(unbroken) if row["name"] == "csfi"]
    model = load(str(unbroken / "runs" / "start.safetensors"))
    model.load_state_dict(averages(unbroken)["csfi"])
    evaluated = evaluate(model, list_groups(test_set), protocols=(PAPER_Y,))
    assert {score.name: score.model["paper-y"].psnr for score in evaluated} == csfi["pictures"]


def test_a_fixed_extractor_stays_bit_for_bit_and_a_trained_one_moves(unbroken):
    initial = load(str(unbroken / "runs" / "start.safetensors")).extractor.state_dict()
    for variant, average in zip(VARIANTS, averages(unbroken).values(), strict=True):
        same = [torch.equal(value, average[f"extractor.{name}"]) for name, value in initial.items()]
        assert all(same) if not variant.trained else not any(same)


def test_stopped_twice_it_resumes_bit_for_bit(photos, test_set, unbroken, tmp_path, monkeypatch):
    """Stopped within the extractor's run, and then within that of the second row."""
    for name, step in (("ablation-start", 2), ("ablation-hard", 1)):
        with monkeypatch.context() as patch:
            stop_at(patch, name, step)
            assert ablation.main(command(photos, test_set, tmp_path)) == 3
        assert not (tmp_path / "ablation.md").exists()
    assert ablation.main(command(photos, test_set, tmp_path)) == 0
    assert scores(tmp_path) == scores(unbroken)
    whole = averages(unbroken)
    for name, average in averages(tmp_path).items():
        assert all(torch.equal(value, whole[name][key]) for key, value in average.items())


def stop_at(patch: pytest.MonkeyPatch, run: str, step: int) -> None:
    """Ask for an end, as by Ctrl-C, in a step of a run."""
    train = runs.train

    def stopping(recipe, *arguments, on_step, **options):
        def stop(now: int, metrics: dict[str, float]) -> None:
            on_step(now, metrics)
            if recipe.name == run and now == step:
                os.kill(os.getpid(), signal.SIGINT)

        return train(recipe, *arguments, on_step=stop, **options)

    patch.setattr(runs, "train", stopping)


def test_in_no_time_it_stops_after_a_step(photos, test_set, tmp_path, capsys):
    assert ablation.main(command(photos, test_set, tmp_path, "--max-time", "0")) == 3
    assert read_checkpoint(tmp_path / "runs" / "start")["step"] == 1
    assert "resumes" in capsys.readouterr().out


def test_finished_rows_are_not_repeated(photos, test_set, unbroken, monkeypatch):
    before = (unbroken / "ablation.md").read_bytes()
    (unbroken / "ablation.md").unlink()
    monkeypatch.setattr(runs, "train", None)
    monkeypatch.setattr(runs, "evaluate", None)
    assert ablation.main(command(photos, test_set, unbroken)) == 0
    assert (unbroken / "ablation.md").read_bytes() == before


def test_other_pictures_of_the_same_names_are_scored_again(photos, test_set, unbroken, tmp_path):
    others = shutil.copytree(test_set, tmp_path / "others")
    Image.open(test_set / "000_0.png").transpose(Image.Transpose.ROTATE_180).save(others / "000_0.png")
    before_all = scores(unbroken)
    assert ablation.main(command(photos, others, unbroken)) == 0
    for before, now in zip(before_all, scores(unbroken), strict=True):
        assert before["pictures"]["000"] != now["pictures"]["000"]
        assert before["pictures"]["001"] == now["pictures"]["001"]
    assert ablation.main(command(photos, test_set, unbroken)) == 0
    assert scores(unbroken) == before_all


@pytest.mark.parametrize(
    "more, complaint",
    [
        (["--steps", "5"], "base: was started with other settings (its length"),
        (["--seed", "5"], "start: was started with other settings (seed: 0 -> 5)"),
        (["--contrastive-steps", "0"], "take 1 or more"),
        (["--recipe", "ttsr-lite_CUFED"], "needs pairs: photos"),
        (["--validate", "nowhere"], "nowhere: no such folder"),
        (["--no_such_field", "1"], "no_such_field"),
    ],
)
def test_bad_input_is_one_line(photos, test_set, unbroken, capsys, more, complaint):
    assert ablation.main(command(photos, test_set, unbroken, *more)) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


def test_the_table_from_given_scores():
    def row(name: str, first: float, second: float, num_parameters: int) -> RowScore:
        mean = (first + second) / 2
        return RowScore(name, num_parameters, mean, 0.75, 25.5, 0.65, {"a": first, "b": second}, ["a note"], 60.0)

    psnrs = [(26.0, 27.0), (26.5, 26.9), (26.6, 27.4), (26.6, 27.6), (27.0, 28.0), (27.4, 28.0)]
    rows = [row(v.name, *psnrs[n], 100_000 * (n + 1)) for n, v in enumerate(VARIANTS)]
    text = page(Ablation("ablation", 1, 500, 400, 4, 96, tuple(rows)))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert len(lines) == 8 and all(len(line) == 8 for line in lines)
    assert lines[2] == ["no transfer", "0.100 M", "26.50 dB, .7500", "+1.00 dB", "", "", "26.34 dB, .780", ""]
    more = ["+0.20 dB", "1 of 2", "26.59 dB, .786", "+0.25 dB"]
    assert lines[3] == ["+ hard attention", "0.200 M", "26.70 dB, .7500", "+1.20 dB", *more]
    assert lines[6][4:] == ["+0.40 dB", "2 of 2", "27.09 dB, .804", "+0.17 dB"]
    assert lines[7][4:] == ["+0.20 dB", "1 of 2", "", ""]
    assert text.count("a note.") == 1 and "bicubic has 25.50 dB, .6500." in text
    assert "400 steps of 4 pairs" in text and "500 steps" in text
    assert list(PAPER) == [variant.name for variant in VARIANTS if not variant.refines]
