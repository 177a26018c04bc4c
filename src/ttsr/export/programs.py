"""A part of a network as a program of `torch.export`, and that as a file: `.pt2`, or ONNX."""

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule, config as fx_config

from ttsr.errors import UserError
from ttsr.export.graph_inputs import Part, dimensions

OPSET = 20
"""Of ONNX."""

METADATA_FILE = "metadata.json"
"""Of a `.pt2`, which is a ZIP file."""

_NO_TRACES = "do_not_emit_stack_traces"

# Before, loops could not be exported to ONNX.
_OLDEST = (2, 10)


def check_ready(file_format: str) -> None:
    """Check that what exporting needs is installed.

    Raises:
        UserError: PyTorch is too old, or packages are missing.
    """
    found = tuple(int(number) for number in torch.__version__.split("+")[0].split(".")[:2] if number.isdigit())
    if found < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        raise UserError(f"PyTorch {torch.__version__} cannot export the search", f"install {wanted} or newer")
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if file_format == "onnx" and missing:
        raise UserError(f"export to ONNX needs {', '.join(missing)}", "pip install 'ttsr[export]'")


def exported(part: Part) -> ExportedProgram:
    """The part as a program for pictures of all sizes."""
    dims, values = dimensions(), {value.name: value.example for value in part.given}
    dynamic = (tuple(value.dynamic(dims) for value in part.given),)
    with torch.no_grad(), _quiet():
        arguments = tuple(values[value.name] for value in part.given)
        program = torch.export.export(_OfGiven(part).eval(), arguments, dynamic_shapes=dynamic, strict=False)
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths of this machine, where they are recorded
    # PyTorch has them in another order each time.
    limits = sorted(program.range_constraints.items(), key=lambda limit: str(limit[0]))
    program.range_constraints.clear()
    program.range_constraints.update(limits)
    return program


def save_program(program: ExportedProgram, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a `.pt2`, with its metadata as `metadata.json` in it."""
    file = io.BytesIO()  # of a name, PyTorch's writer ends the process where the disk is full
    torch.export.save(program, file, extra_files={METADATA_FILE: json.dumps(metadata)})
    path.write_bytes(file.getbuffer())


def save_onnx(program: ExportedProgram, part: Part, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write ONNX; metadata that are no text as JSON."""
    from onnxscript import ir, optimizer

    with _quiet():
        made = torch.onnx.export(
            program,
            (),
            dynamo=True,
            input_names=[value.name for value in part.given],
            output_names=[value.name for value in part.outputs],
            opset_version=OPSET,
            optimize=False,  # takes longer than all the rest, and runtimes do it again
            verbose=False,
        )
        assert made is not None
        optimizer.fold_constants(made.model)
        optimizer.remove_unused_nodes(made.model)
    graph = made.model.graph
    for node in graph.all_nodes():
        node.metadata_props.clear()
        for output in node.outputs:
            output.metadata_props.clear()
    for tensor, value in zip([*graph.inputs, *graph.outputs], [*part.given, *part.outputs], strict=True):
        tensor.shape = ir.Shape(value.shape)
    for name, stated in metadata.items():
        made.model.metadata_props[name] = stated if isinstance(stated, str) else json.dumps(stated)
    ir.save(made.model, path)


class _OfGiven(nn.Module):
    """A part that takes only the inputs that its network has."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part, self.module = part, part.module

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        names = [value.name for value in self.part.given]
        return self.module(*self.part.arguments(dict(zip(names, given, strict=True))))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch's exporter says of its own workings, nor where in the code each node comes from.

    The latter, which is not kept, would take a third of the time. A PyTorch without this setting takes no notice of it.
    """
    before, traced = logging.root.manager.disable, getattr(fx_config, _NO_TRACES, False)
    logging.disable(logging.ERROR)
    setattr(fx_config, _NO_TRACES, True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        setattr(fx_config, _NO_TRACES, traced)
        logging.disable(before)
