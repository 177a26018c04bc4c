"""`ttsr convert`."""

from pathlib import Path
from typing import Literal

from ttsr.errors import WeightsError

LayoutName = Literal["ttsr", "authors", "mmagic"]

_BY_SUFFIX: dict[str, LayoutName] = {".safetensors": "ttsr", ".pt": "authors", ".pth": "mmagic"}


def convert(
    source: str,
    out: Path,
    *,
    half: bool = False,
    layout: LayoutName | None = None,
    recipe: str | None = None,
    licence: str | None = None,
    scores: Path | None = None,
) -> None:
    """Convert weights between this package's format and those of the public implementations.

    Args:
        source: A checkpoint file of this package, the authors, MMEditing or MMagic; a name from the catalogue; a
            URL; or hf://OWNER/REPO.
        out: The file to write: .safetensors for this package's layout, .pt for the authors', .pth for MMagic's. A file
            that exists is replaced.
        half: Store the weights in 16 bits (fp16): half the size.
        layout: The layout, if not by the suffix of the file to write.
        recipe: The name of the training recipe, for the metadata.
        licence: The licence of the weights, for the metadata.
        scores: A report of ttsr evaluate --json, whose mean scores of this model go into the metadata.
    """
    from dataclasses import replace

    from ttsr.cli.bars import progress_bar
    from ttsr.cli.printing import tell
    from ttsr.evaluation.report_files import read_mean_scores
    from ttsr.system.files import refuse_overwriting
    from ttsr.weights.assembly import assemble
    from ttsr.weights.catalog import provenance_of
    from ttsr.weights.checkpoint_file import read_checkpoint
    from ttsr.weights.layouts import LAYOUTS
    from ttsr.weights.loading import locate
    from ttsr.weights.saving import save

    chosen = layout or _BY_SUFFIX.get(out.suffix)
    if chosen is None:
        raise WeightsError(f"{out}: of no known layout", "name a .safetensors, .pt or .pth file, or give --layout")
    with progress_bar(source) as progress:
        file = locate(source, progress)
    refuse_overwriting([out], [file] if scores is None else [file, scores])
    means = None if scores is None else read_mean_scores(scores, source, Path(source).name)
    stated = {"recipe": recipe, "licence": licence, "scores": means}
    checkpoint = read_checkpoint(file)
    model = assemble(checkpoint, str(file))
    known = provenance_of(source, checkpoint, file.name)
    provenance = replace(known, **{name: value for name, value in stated.items() if value is not None})
    save(model, out, dtype="fp16" if half else "fp32", provenance=provenance, layout=LAYOUTS[chosen])
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    size = out.stat().st_size / 1e6
    tell(f"{source} -> {out}: {num_parameters / 1e6:.2f} M parameters, {size:.1f} MB, {chosen} layout")
