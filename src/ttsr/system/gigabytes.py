"""Amounts of memory for people to read."""


def gigabytes(count: float) -> str:
    """1234567890 as `1.2 GB`."""
    return f"{count / 1e9:.1f} GB"
