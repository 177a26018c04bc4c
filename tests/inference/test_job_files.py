import os
from pathlib import Path

import pytest

from ttsr.errors import ImageError, UserError
from ttsr.inference.job_files import Job, Naming, check_writable, plan_jobs, prepare_target


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
    assert plan_jobs([photo], None)[0] == [Job(photo, tmp_path / "photo_x4.png")]


def test_a_file_by_its_name(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    assert plan_jobs([photo], str(tmp_path / "big.webp"))[0] == [Job(photo, tmp_path / "big.webp")]


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_for_one(tmp_path: Path, exists: bool) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    jobs, _ = plan_jobs([photo], str(out) if exists else f"{out}/")
    assert jobs == [Job(photo, out / "photo_x4.png", makes_folder=True)]
    assert out.is_dir() == exists
    prepare_target(jobs[0])
    assert out.is_dir()


def test_a_folder_for_many(tmp_path: Path) -> None:
    photos = touch(tmp_path, "a.jpg", "b.png")
    jobs, _ = plan_jobs(photos, str(tmp_path / "deep" / "out"))
    assert [job.target for job in jobs] == [tmp_path / "deep/out/a_x4.png", tmp_path / "deep/out/b_x4.png"]
    assert not (tmp_path / "deep").exists()
    prepare_target(jobs[0])
    assert (tmp_path / "deep/out").is_dir()


def test_all_pictures_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.png", "a.jpg", "notes.txt")
    jobs, _ = plan_jobs([tmp_path / "in"], None)
    assert names(jobs) == [
        ("a.jpg", str(tmp_path / "in_x4/a_x4.png")),
        ("b.png", str(tmp_path / "in_x4/b_x4.png")),
    ]


def test_same_stems_keep_their_suffix(tmp_path: Path) -> None:
    photos = touch(tmp_path, "a.jpg", "a.png", "b.png")
    targets = [job.target.name for job in plan_jobs(photos, None)[0]]
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
    ((job,), _) = plan_jobs([missing], None)
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


def test_names_of_outputs(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "photo.jpg")
    for naming, name in (
        (Naming("_x2", "webp"), "photo_x2.webp"),
        (Naming("", "tiff"), "photo.tiff"),
        (Naming(".large", "jpg"), "photo.large.jpg"),
    ):
        assert names(plan_jobs([photo], None, naming)[0]) == [("photo.jpg", str(tmp_path / name))]
    assert plan_jobs([tmp_path], None, Naming("_x8"))[0][0].target.parent == tmp_path.with_name(f"{tmp_path.name}_x8")
    for suffix in ("a/b", "\0"):
        with pytest.raises(ImageError, match="cannot be part of a file's name"):
            Naming(suffix)
    with pytest.raises(ImageError, match="cannot tell the format"):
        Naming("_x4", "bmp")
    with pytest.raises(UserError, match="its pictures have no folder to go to"):
        plan_jobs([tmp_path], None, Naming(""))


def test_sub_folders_are_kept(tmp_path: Path) -> None:
    touch(tmp_path / "in", "a.jpg")
    touch(tmp_path / "in" / "b", "a.jpg", "c.png")
    touch(tmp_path / "in" / "b" / "deep", "a.tif")
    touch(tmp_path / "in" / ".thumbnails", "a.jpg")
    jobs, notes = plan_jobs([tmp_path / "in"], None, recursive=True)
    targets = [str(job.target.relative_to(tmp_path / "in_x4")) for job in jobs]
    assert targets == ["a_x4.png", "b/a_x4.png", "b/c_x4.png", "b/deep/a_x4.png"]
    assert all(job.makes_folder for job in jobs) and notes == []
    assert [job.source.name for job in plan_jobs([tmp_path / "in"], None)[0]] == ["a.jpg"]


def test_outputs_of_earlier_runs_are_no_inputs_unless_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder, "a.jpg", "a_x4.png", "a_x8.tiff", "a_640x480.png", "a_big.png", "b_x4.png", "c.jpg", "c.png")
    touch(folder, "c.jpg_x4.png")
    touch(folder / "out", "a_x4.png")
    touch(folder / "sub", "d.png")
    touch(folder / "sub_x4", "d_x4.png")
    jobs, notes = plan_jobs([folder], str(folder / "out"), Naming("_big"), recursive=True)
    assert [str(job.source.relative_to(folder)) for job in jobs] == ["a.jpg", "b_x4.png", "c.jpg", "c.png", "sub/d.png"]
    assert notes == [f"{folder}: 5 outputs of earlier runs were left out; name them to upscale them"]
    ((job,), _) = plan_jobs([folder / "a_x4.png"], None)
    assert job.target == folder / "a_x4_x4.png"


def test_results_stay_in_the_folder_that_was_named(tmp_path: Path) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    (photo,) = touch(here, "a.png")
    (here / "in").mkdir()
    (inner,) = touch(here / "in" / "sub", "b.png")
    out = here / "out"
    other.mkdir()
    out.mkdir()
    (here / "a_x4.png").symlink_to(other / "a.png")
    (out / "a_x4.png").symlink_to(other / "a.png")
    (out / "sub").symlink_to(other)
    for inputs, to, target in (
        ([photo], None, here / "a_x4.png"),
        ([photo], str(out), out / "a_x4.png"),
        ([here / "in"], str(out), out / "sub" / "b_x4.png"),
    ):
        ((job,), _) = plan_jobs(inputs, to, recursive=True)
        assert job.target == target and job.source in (photo, inner)
        with pytest.raises(UserError, match=f"{target.name}: a link leads to {other}"):
            prepare_target(job)
    ((named,), _) = plan_jobs([photo], str(out / "a_x4.png"))
    prepare_target(named)  # as any program would write
    assert list(other.iterdir()) == []
