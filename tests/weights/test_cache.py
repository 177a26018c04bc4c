"""The cache of downloads."""

from pathlib import Path

import pytest

from ttsr.errors import WeightsError
from ttsr.weights.cache import cache_folder, cache_path, hash_prefix


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("ttsr-rec_x4_c64b16_g1_200k_CUFED_20210525-b0dba584.pth", "b0dba584"),
        ("a-0123456789abcdef.safetensors", "0123456789abcdef"),
        ("TTSR.pt", ""),
        ("ttsr-20210525.pth.zip", ""),
        ("ttsr-rec.pth", ""),
    ],
)
def test_hash_in_a_name(name: str, digits: str) -> None:
    assert hash_prefix(name) == digits


def test_same_name_on_two_sites(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    first, other = cache_path("https://a.example/TTSR.pt"), cache_path("https://b.example/TTSR.pt?v=2")
    assert first != other
    assert first.name == other.name == "TTSR.pt"


@pytest.mark.parametrize("url", ["https://a.example/", "https://a.example/x/..", "https://a.example/%2e%2e%2fx.pt"])
def test_stays_inside_the_cache(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    path = cache_path(url)
    assert path.resolve().parent.parent == tmp_path.resolve()


@pytest.mark.parametrize("suffix", [".pth", "-0123456789abcdef.pth"])
def test_long_names_are_cut_to_what_a_file_system_takes(suffix: str) -> None:
    path = cache_path(f"https://a.example/{300 * 'é'}{suffix}")
    assert path.name.endswith(suffix)
    assert len(path.name.encode()) < 200


def test_malformed_url() -> None:
    with pytest.raises(WeightsError, match=r"http://\[bad/x\.pth: is not a valid URL"):
        cache_path("http://[bad/x.pth")


def test_platform_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TTSR_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ttsr"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "ttsr"
