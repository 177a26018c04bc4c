from pathlib import Path
from typing import Any

import pytest

from ttsr.errors import UserError
from ttsr.service.settings import ServiceSettings, is_loopback, public_name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0: others than this machine would have access: set a token"),
        ({"host": "example.org"}, "example.org: others than this machine"),
        ({"token": "short"}, "the token is too easy to guess"),
        ({"token": "with spaces in between"}, "the token is too easy to guess"),
        ({"queue": 0}, "queue: 0 is not possible"),
        ({"keep_seconds": float("inf")}, "keep seconds: inf is not possible"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"allow_origins": ("*",)}, "origin '*': is not how browsers tell one"),
        ({"allow_origins": ("null",)}, "origin 'null'"),
        ({"allow_origins": ("https://a.example/",)}, "origin 'https://a.example/'"),
        ({"allow_hosts": ("a.example:80",)}, "host 'a.example:80': is no name"),
        ({"instance": "a.b"}, "instance 'a.b': cannot begin the ids of jobs"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        ServiceSettings(**settings)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_addresses_of_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) == own


def test_a_model_is_called_without_its_place(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    assert public_name(str(tmp_path / "weights")) == "weights"
    assert public_name("/models/my.safetensors") == "my"
    assert public_name("https://example.org/a/rec.pth") == "rec"
    assert public_name("hf://owner/repo") == "hf://owner/repo"
    assert public_name("mmagic/ttsr-rec") == "mmagic/ttsr-rec"
