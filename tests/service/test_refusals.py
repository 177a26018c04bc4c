"""What is refused, and how it is said."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import httpx
import pytest
from PIL import Image

Form = list[tuple[str, Any]]


class Server(Protocol):
    def client(self, address: str = ..., **headers: str) -> AbstractContextManager[httpx.Client]: ...


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"lr": None}, 422, "lr: a picture to upscale is needed, once: send it as lr, or its digest as lr_digest"),
        ({"lr": b"no picture"}, 422, "small.png: not a picture that can be read (PNG, JPEG, WebP, TIFF ...)"),
        ({"lr": b""}, 422, "small.png: the file is empty"),
        ({"lr": (500, 401)}, 413, "small.png: 500x401 is more than the 0.2 megapixels that are taken here: "),
        ({"reference": (1100, 1100)}, 413, "sharp.png: 1100x1100 is more than the 1.2 megapixels"),
        ({"reference": (3, 9)}, 422, "sharp.png: a reference needs at least 4x4 pixels"),
        ({"reference": b"\0" * 4_000_001}, 413, "sharp.png: has more than 4 MB: send a smaller copy"),
        ({"model": "mmagic/ttsr-rec"}, 422, "model 'mmagic/ttsr-rec': is not offered here: choose tiny"),
        ({"model": "/etc/passwd"}, 422, "model '/etc/passwd': is not offered here: choose tiny"),
        ({"model": "https://127.0.0.1/x.pth"}, 422, "model 'https://127.0.0.1/x.pth': is not offered here"),
        ({"precision": "fp8"}, 422, "precision: input should be 'auto', 'fp32', 'tf32', 'bf16' or 'fp16'"),
        ({"pose": ""}, 422, "pose: is empty: give a value, or leave the field out"),
        ({"precision": "tf32"}, 422, "precision tf32"),
        ({"scale": "5"}, 422, "scale: "),
        ({"lr_digest": "../../etc/passwd"}, 422, "lr_digest: string should match pattern"),
        ({"lr_digest": "0" * 64}, 422, "lr: a picture to upscale is needed, once"),
        ({"model": "x" * 5000}, 400, "Part exceeded maximum size of 4KB"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    change: dict[str, Any],
    status: int,
    said: str,
    client: httpx.Client,
    small_form: Callable[..., Form],
    png: Callable[..., bytes],
) -> None:
    files, data = dict(small_form()), {}
    for name, value in change.items():
        if name not in files:
            data[name] = value
        elif value is None:
            del files[name]
        else:
            content = png(*value) if isinstance(value, tuple) else value
            files[name] = files[name][0], content
    answer = client.post("/v1/plan", files=files, data=data)
    assert answer.status_code == status and [*answer.json()] == ["detail"]
    detail = answer.json()["detail"]
    assert detail.startswith(said) and "\n" not in detail


def test_methods_that_there_are_not(client: httpx.Client) -> None:
    for path, methods in {
        "/v1/jobs/x": "DELETE, GET",
        "/v1/jobs": "POST",
        "/v1/models": "GET",
        "/metrics": "GET",
    }.items():
        answer = client.put(path)
        assert (answer.status_code, answer.headers["allow"], answer.json()) == (
            405,
            methods,
            {"detail": "Method Not Allowed"},
        )


def test_too_many_references_and_too_large_a_request(
    client: httpx.Client, small_form: Callable[..., Form], png: Callable[..., bytes]
) -> None:
    many = client.post("/v1/jobs", files=[*small_form(), *small_form()[1:], *small_form()[1:]])
    assert (many.status_code, many.json()["detail"]) == (422, "more than 2 references: choose fewer")
    large = client.post("/v1/images", files={"file": ("large.png", b"\0" * 9_000_001)})
    assert large.status_code == 413 and large.json()["detail"].startswith("the request has more than 9 MB")

    def without_length() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
        for _ in range(20):
            yield b"\0" * 500_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    streamed = client.post("/v1/images", content=without_length(), headers=headers)
    assert streamed.status_code == 413


def test_a_picture_of_many_pixels_in_few_bytes_is_refused(client: httpx.Client) -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    answer = client.post("/v1/images", files={"file": ("bomb.png", file.getvalue())})
    assert answer.status_code == 413 and answer.json()["detail"].startswith("bomb.png: 9000x9000 is more")
