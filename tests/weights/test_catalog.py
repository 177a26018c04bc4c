"""The catalogue and provenance."""

from pathlib import Path

import pytest

from ttsr.errors import WeightsError
from ttsr.models.ttsr import TTSR
from ttsr.weights import catalog
from ttsr.weights.cache import hash_prefix
from ttsr.weights.catalog import BundledWeights, PublishedWeights, available_weights, provenance_of
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.loading import load, locate
from ttsr.weights.provenance import Provenance
from ttsr.weights.saving import save


def test_bundled_weights_load() -> None:
    assert "ttsr-lite" in available_weights()
    for entry in available_weights().values():
        if isinstance(entry, BundledWeights):
            assert not load(entry.file).training
            assert entry.file.stat().st_size < 8e6
            assert entry.provenance.licence
            assert entry.provenance.recipe


def test_published_weights_state_hash_licence_and_scores() -> None:
    published = {name: entry for name, entry in available_weights().items() if isinstance(entry, PublishedWeights)}
    assert published.keys() == {"mmagic/ttsr-rec", "mmagic/ttsr-gan"}
    for entry in published.values():
        assert len(hash_prefix(entry.url.rpartition("/")[2])) == 8
        assert entry.provenance.licence
        assert entry.provenance.scores


def test_a_file_in_the_package_gets_a_name(small: TTSR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_BUNDLED", tmp_path)
    assert "ttsr-tiny" not in available_weights()
    provenance = Provenance(source="a run", licence="Apache-2.0")
    save(small, tmp_path / "ttsr-tiny.safetensors", provenance=provenance)
    assert load("ttsr-tiny").config == small.config
    file = locate("ttsr-tiny")
    assert provenance_of("ttsr-tiny", read_checkpoint(file), file.name) == provenance


def test_provenance_of_files(checkpoint: Path) -> None:
    assert provenance_of("a file", read_checkpoint(checkpoint), "its name") == Provenance(source="its name")


def test_provenance_does_not_depend_on_the_file_name(small: TTSR, tmp_path: Path) -> None:
    provenance = Provenance(source="a run", recipe="short", scores={"a set": {"psnr": 20.0}}, licence="CC0-1.0")
    path = tmp_path / "weights.bin"
    save(small, path, provenance=provenance)
    assert provenance_of(str(path), read_checkpoint(path), path.name) == provenance


def test_offline_error_says_where_to_save_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(WeightsError, match=r"cannot reach https://.*-b0dba584\.pth .* save it as .*-b0dba584\.pth"):
        load("mmagic/ttsr-rec")


def test_file_saved_by_hand_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path))
    entry = available_weights()["mmagic/ttsr-gan"]
    assert isinstance(entry, PublishedWeights)
    (tmp_path / entry.url.rpartition("/")[2]).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not 2ab28ca0"):
        load("mmagic/ttsr-gan")
