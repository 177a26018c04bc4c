"""`ttsr export`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ttsr.options import DEFAULT_MODEL


def export(
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    model: str = DEFAULT_MODEL,
    file_format: Annotated[Literal["onnx", "torch"], Parameter(name="--format")] = "onnx",
) -> None:
    """Write a model for other programs, as onnxruntime or PyTorch without ttsr.

    Args:
        out: The folder to write to, made if missing. Files of the same names are replaced.
        model: A catalogue name, a checkpoint file, a URL, or hf://OWNER/REPO.
        file_format: onnx, or torch for programs of torch.export (.pt2).
    """
    from ttsr.cli.bars import progress_bar
    from ttsr.cli.printing import tell
    from ttsr.export.exporting import export_model
    from ttsr.system.files import refuse_overwriting
    from ttsr.weights.assembly import assemble
    from ttsr.weights.catalog import provenance_of
    from ttsr.weights.checkpoint_file import read_checkpoint
    from ttsr.weights.loading import locate

    with progress_bar(model) as progress:
        file = locate(model, progress.part(0, 0.1))
        if file.suffix in (".onnx", ".pt2"):  # by which name ever, it may be that of a part
            refuse_overwriting([out / file.name], [file])
        checkpoint = read_checkpoint(file)
        network = assemble(checkpoint, str(file))
        provenance = provenance_of(model, checkpoint, file.name)
        made = export_model(
            network, out, file_format, name=model, provenance=provenance, progress=progress.part(0.1, 1)
        )
    for path in made.files:
        tell(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    by = "onnxruntime" if file_format == "onnx" else "PyTorch"
    tell(
        f"computed by {by} and compared with the network at {made.sizes} sizes: "
        f"the largest difference is {made.difference.largest:.1g}"
    )
