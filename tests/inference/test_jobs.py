import os
from pathlib import Path

import pytest

from ttsr.errors import ImageError, UserError
from ttsr.inference.jobs import Job, check_writable, plan_jobs, prepare_target


def touch(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in names]
    for path in paths:
        path.touch()
    return paths


def names(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.source.name, str(job.target)) for job in jobs]


def test_by_default_beside_the_input(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    assert plan_jobs([photo], None) == [Job(photo, tmp_path / "photo_x4.png")]


def test_a_file_by_its_name(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    assert plan_jobs([photo], str(tmp_path / "big.webp")) == [Job(photo, tmp_path / "big.webp")]


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_for_one(tmp_path: Path, exists: bool) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    jobs = plan_jobs([photo], str(out) if exists else f"{out}/")
    assert jobs == [Job(photo, out / "photo_x4.png", makes_folder=True)]
    assert out.is_dir() == exists
    prepare_target(jobs[0])
    assert out.is_dir()


def test_a_folder_for_many(tmp_path: Path) -> None:
    photos = touch(tmp_path, "a.jpg", "b.png")
    jobs = plan_jobs(photos, str(tmp_path / "deep" / "out"))
    assert [job.target for job in jobs] == [tmp_path / "deep/out/a_x4.png", tmp_path / "deep/out/b_x4.png"]
    assert not (tmp_path / "deep").exists()
    prepare_target(jobs[0])
    assert (tmp_path / "deep/out").is_dir()


def test_all_pictures_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.png", "a.jpg", "notes.txt")
    jobs = plan_jobs([tmp_path / "in"], None)
    assert names(jobs) == [
        ("a.jpg", str(tmp_path / "in_x4/a_x4.png")),
        ("b.png", str(tmp_path / "in_x4/b_x4.png")),
    ]


def test_same_stems_keep_their_suffix(tmp_path: Path) -> None:
    photos = touch(tmp_path, "a.jpg", "a.png", "b.png")
    targets = [job.target.name for job in plan_jobs(photos, None)]
    assert targets == ["a.jpg_x4.png", "a.png_x4.png", "b_x4.png"]
    twins = [*touch(tmp_path / "one", "a.png"), *touch(tmp_path / "two", "a.png")]
    with pytest.raises(ImageError, match="2 of the inputs would become this file"):
        plan_jobs(twins, str(tmp_path / "out"))


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    photos = touch(tmp_path, "a.png", "b.png")
    file = tmp_path / "file"
    file.touch()
    for inputs, out, message in (
        (photos, str(file), "is a file"),
        (photos, str(tmp_path / "c.png"), "names one picture"),
        (photos, str(tmp_path / "c.webp"), "names one picture"),
        (photos[:1], str(tmp_path / "c.bmp"), "cannot tell the format"),
        (photos[:1], "", "names no file"),
    ):
        with pytest.raises(ImageError, match=message):
            plan_jobs(inputs, out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        plan_jobs([tmp_path / "empty"], None)


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "a.png")
    taken = tmp_path / "taken.png"
    taken.mkdir()
    for job, message in (
        (Job(photo, tmp_path / "absent" / "c.png"), "absent: there is no such folder"),
        (Job(photo, photo / "below" / "c.png", makes_folder=True), "below: the folder cannot be made"),
        (Job(photo, taken), r"taken\.png: is a folder"),
        (Job(photo, tmp_path / ("x" * 300 + ".png")), "File name too long"),
        (Job(photo, Path("/proc/c.png")), "cannot be written to"),
    ):
        with pytest.raises(UserError, match=message):
            prepare_target(job)
    assert sorted(tmp_path.iterdir()) == [photo, taken]


def test_no_folder_is_made_beside_an_input(tmp_path: Path) -> None:
    missing = tmp_path / "absent" / "a.png"
    (job,) = plan_jobs([missing], None)
    with pytest.raises(UserError, match="no such folder"):
        prepare_target(job)
    assert list(tmp_path.iterdir()) == []


def test_links_are_followed_before_writing(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "absent" / "a.csv")
    with pytest.raises(UserError, match="absent: there is no such folder"):
        check_writable(link)
    (tmp_path / "absent").mkdir()
    check_writable(link)
    assert list((tmp_path / "absent").iterdir()) == []


def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="pipe: is a device or the like"):
        check_writable(pipe)
