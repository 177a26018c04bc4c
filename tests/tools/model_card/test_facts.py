"""The facts of a card are those of the network and its file."""

from pathlib import Path

from model_card.facts import facts_table

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


def test_size_and_what_differs_from_the_published_network(model: TTSR, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(bytes(1_250_000))
    lines = facts_table(model, file).splitlines()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert lines[2].startswith(f"| parameters | {count / 1e6:.2f} M | ")
    assert lines[3] == "| weight file | 1.2 MB | |"
    assert "| `channels` | 4 | 64 |" in lines and "| `num_blocks` | 1 / 1 / 1 / 1 | 16 / 16 / 8 / 4 |" in lines
    assert "| `bicubic_skip` | yes | no |" in lines and not any("res_scale" in line for line in lines)
    assert len(facts_table(TTSR(TTSRConfig()), file).splitlines()) == 4
