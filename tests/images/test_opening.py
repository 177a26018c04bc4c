"""What lies where a picture is named: odd names, links, pipes, and files that change or never end."""

import io
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from bad_pictures import whole_pictures
from odd_pictures import PLACE, SMOOTH
from picture_parts import png

from ttsr.errors import ImageError
from ttsr.images.opening import LimitedFile
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.writing import write_picture

WHOLE = whole_pictures()


@pytest.mark.parametrize(
    "name",
    ["-o.png", "--help.png", "a b.png", "Brücke 橋.png", "a\nb.png", "\x1b[31m.png", "\udcff.png", "x" * 251 + ".png"],
    ids=ascii,
)
def test_any_name_is_read_and_written(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_picture(Picture(SMOOTH), name) == ()
    np.testing.assert_array_equal(read_picture(name).rgb, SMOOTH)
    Path(name).write_bytes(b"?")
    with pytest.raises(ImageError, match="not a picture"):
        read_picture(name)


def test_links_are_followed_to_files_alone(tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(png(SMOOTH))
    (tmp_path / "good.png").symlink_to("file.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "good.png").rgb, SMOOTH)
    for target, message in {
        "gone.png": "no such file",
        "itself.png": "cannot be read",
        ".": "is a folder",
        "/dev/zero": "not a regular file",
        "file.png/x": "no such file",
        "/proc/self/mem": "cannot be read|damaged",
        "/proc/self/maps": "damaged|not a picture|empty",
    }.items():
        (tmp_path / "itself.png").unlink(missing_ok=True)
        (tmp_path / "itself.png").symlink_to(target)
        with pytest.raises(ImageError, match=rf"itself\.png: .*({message})"):
            read_picture(tmp_path / "itself.png")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.tif"
    path.write_bytes(b"")
    status = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda self, **options: status)
    with pytest.raises(ImageError, match="not a regular file"):
        read_picture(path)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 3],
    "longer": lambda data: data * 3,
    "another": lambda data: WHOLE["deep.png" if data[:4] != WHOLE["deep.png"][:4] else "jpg"],
    "larger": lambda data: png(np.zeros((70, 99, 4), np.uint16)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, name: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / f"a.{name}", LimitedFile.read
    other, left = CHANGES[change](WHOLE[name]), 0

    def read_and_change(self: LimitedFile, size: int | None = -1, /) -> bytes:
        nonlocal left
        left -= 1
        if left == 0:
            path.write_bytes(other)
        return read(self, size)

    monkeypatch.setattr(LimitedFile, "read", read_and_change)
    for reads in (2, 3, 5, 8, 13, 21):
        path.write_bytes(WHOLE[name])
        left = reads
        try:
            read_picture(path)
        except ImageError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


@pytest.mark.parametrize("name", ["png", "jpg", "webp", "avif", "ppm", "tiff_lzw.tiff"])
def test_a_file_of_terabytes_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(WHOLE[name])
    os.truncate(path, 2**40)
    with pytest.raises(ImageError, match="it has 1024 GiB, more than can be read of its kind"):
        read_picture(path)


def test_a_file_is_read_in_parts_and_not_mapped(tmp_path: Path) -> None:
    """A descriptor would let libtiff map it: another process that cuts it would end this one by SIGBUS."""
    (tmp_path / "a").write_bytes(bytes(999))
    with (tmp_path / "a").open("rb") as file:
        limited = LimitedFile(file)
        with pytest.raises(io.UnsupportedOperation):
            limited.fileno()
        assert (len(limited.read(2**40)), limited.read(2**40)) == (999, b"")
        limited.seek(0)
        with pytest.raises(ImageError, match="too many small parts"):
            while True:
                limited.seek(0)
                limited.read(1)


def test_no_name_and_no_file_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL would take a path for an address, and follow what a TIFF or a file beside it says of others."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http:/127.0.0.1:{server.getsockname()[1]}"
        remote = f"/vsicurl/{address[:5]}/{address[5:]}/x.tif"
        elsewhere = (
            '<VRTDataset rasterXSize="24" rasterYSize="16"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        )
        elsewhere += f"<SourceFilename>{remote}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
        tag = f'<GDALMetadata><Item name="OVERVIEW_FILE" domain="OVERVIEWS">{remote}</Item></GDALMetadata>'
        for folder in (address, "zip:", "GTIFF_DIR:1:"):
            path = Path(folder) / "x.tif"
            path.parent.mkdir(parents=True)
            described = [*PLACE, (42112, 2, 0, tag, True)]
            tifffile.imwrite(path, SMOOTH, photometric="rgb", metadata=None, extratags=described)
            for beside in (".ovr", ".msk", ".aux.xml"):
                Path(f"{path}{beside}").write_text(elsewhere)
            picture = read_picture(path)
            assert picture.notes == () and picture.metadata.georeference is not None
            np.testing.assert_array_equal(picture.rgb, SMOOTH)
            write_picture(picture, path.with_name("out.tif"))
        Path("vrt.tif").write_text(elsewhere)
        Path("vrt.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
        with pytest.raises(ImageError, match="not a picture"):
            read_picture("vrt.tif")
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()
    assert sorted(path.name for path in Path(address).iterdir()) == [
        "out.tif",
        *(f"x.tif{end}" for end in ("", ".aux.xml", ".msk", ".ovr")),
    ]


@pytest.mark.parametrize("nodata", ["inf", "-inf", "nan", "1e300", "-99999", "0.5"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_any_value_for_no_data(tmp_path: Path, nodata: str, kind: type) -> None:
    values, path = SMOOTH.astype(kind), tmp_path / "a.tif"
    tags = [*PLACE, (42113, 2, 0, nodata, True)]
    tifffile.imwrite(path, values, photometric="rgb", metadata=None, extratags=tags)
    picture = read_picture(path)
    assert picture.alpha is None
    write_picture(picture, tmp_path / "b.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "b.tif").rgb, values)


def test_descriptions_that_cannot_be_read(tmp_path: Path) -> None:
    item = b'<GDALMetadata><Item name="DESCRIPTION" sample="0" role="description">\xff\xfe</Item></GDALMetadata>'
    tags = [*PLACE, (42112, 2, 0, item, True)]
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, photometric="rgb", metadata=None, extratags=tags)
    (note,) = read_picture(tmp_path / "a.tif").notes
    assert note.startswith("its georeference cannot be read and is lost")
