"""`ttsr pairs`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttsr.data.mining import MiningSummary


def pairs(
    folder: Path,
    out: Path,
    *,
    size: int = 160,
    min_overlap: float = 0.5,
    per_pair: int = 4,
    max_pairs: int | None = None,
    longest_side: int | None = None,
    workers: int | None = None,
    seed: int = 0,
) -> None:
    """Mine a training set of pairs, in CUFED's layout, from a folder of your own photos.

    Args:
        folder: The photos, in this folder and the folders in it.
        out: The folder to create, or an empty one, outside FOLDER. It gets input/NAME.png, ref/NAME.png, manifest.csv
            (where each pair was cropped) and report.html (counts, and twenty pairs to look at) when all is done. Until
            then the files are in a hidden folder, .ttsr- and twelve digits, beside OUT (in OUT, if that exists); if the
            process is killed, delete it.
        size: Side of the crops in pixels, a multiple of 4. References with a scale of more than 1.25 times the input's
            are shrunk to the input's scale.
        min_overlap: The share of an input crop that its reference crop must show.
        per_pair: Most crops of a photo pair; half of them have their input from either photo.
        max_pairs: Most crops in all, taken from the matched photo pairs at random.
        longest_side: Shrink larger photos to this many pixels first: a phone's photo has little detail in 160 of its
            pixels.
        workers: Number of processes; by default one for each processor that this process may use.
        seed: Of the random positions of the crops.
    """
    from ttsr.cli.bars import progress_bar
    from ttsr.cli.printing import say, tell, tell_lines
    from ttsr.data.mining import MANIFEST, REPORT, MiningOptions, mine_pairs

    # Processors that this process may use, where the system tells.
    num_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options = MiningOptions(
        size=size,
        min_overlap=min_overlap,
        per_pair=per_pair,
        max_pairs=max_pairs,
        longest_side=longest_side,
        seed=seed,
        workers=workers if workers is not None else num_processors,
    )
    with progress_bar("pairs") as progress:
        summary = mine_pairs(folder, out, options, progress)
    for reason in summary.unreadable.values():
        say(f"{reason} (left out)")
    tell_lines(_described(summary))
    tell(f"wrote {len(summary.pairs)} pairs to {out}: {out / MANIFEST}, and {out / REPORT} to look at")


def _described(summary: "MiningSummary") -> str:
    """Counts and overlaps, a line each."""
    counts = {"unreadable": len(summary.unreadable), "too small": len(summary.small)}
    left_out = [f"{count} {why}" for why, count in counts.items() if count]
    lines = [
        f"{len(summary.photos)} photos" + (f" ({', '.join(left_out)} left out)" if left_out else ""),
        f"{summary.compared} photo pairs compared, {summary.matched} show the same thing",
    ]
    if summary.duplicates:
        lines[-1] += f", {len(summary.duplicates)} of them copies of one photo, left out"
    least, lower, median, upper, greatest = summary.overlaps
    lines.append(f"overlap {median:.2f} (quartiles {lower:.2f} and {upper:.2f}, from {least:.2f} to {greatest:.2f})")
    if summary.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.most_common())
        lines.append(f"positions rejected: {reasons}")
    return "\n".join(lines)
