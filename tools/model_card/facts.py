"""What a model card says of the network: its size and configuration."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


def facts_table(model: TTSR, weights: Path) -> str:
    """List parameters, size of the weight file, and what differs from the published network, in Markdown.

    Args:
        model: the network.
        weights: its file.
    """
    count = sum(parameter.numel() for parameter in model.parameters())
    published = TTSRConfig()
    own: dict[str, tuple[Any, Any]] = {
        field.name: (getattr(model.config, field.name), getattr(published, field.name)) for field in fields(TTSRConfig)
    }
    lines = [
        "| | | published network |",
        "|---|---|---|",
        f"| parameters | {count / 1e6:.2f} M | {sum(p.numel() for p in TTSR(published).parameters()) / 1e6:.2f} M |",
        f"| weight file | {weights.stat().st_size / 1e6:.1f} MB | |",
    ]
    lines += [
        f"| `{name}` | {_shown(value)} | {_shown(other)} |" for name, (value, other) in own.items() if value != other
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " / ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
