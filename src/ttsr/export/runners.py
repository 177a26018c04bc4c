"""Exported files put to work, to be compared with the network that they were made of."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ttsr.export.graph_inputs import Part

Run = Callable[[dict[str, Tensor]], dict[str, Tensor]]
"""Inputs by name to outputs by name."""


def run_onnx(path: Path, part: Part) -> Run:
    """By onnxruntime on the CPU, which is told not to report its use to its maker: it would from the import on."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(values: dict[str, Tensor]) -> dict[str, Tensor]:
        inputs = {value.name: values[value.name].numpy() for value in part.given}
        names = [value.name for value in part.outputs]
        outputs = session.run(names, inputs)
        return {name: torch.from_numpy(output) for name, output in zip(names, outputs, strict=True)}

    return run


def run_program(path: Path, part: Part) -> Run:
    """By PyTorch, from a `.pt2`."""
    module = torch.export.load(path).module()

    def run(values: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            outputs = module(*(values[value.name] for value in part.given))
        return {value.name: output for value, output in zip(part.outputs, outputs, strict=True)}

    return run
