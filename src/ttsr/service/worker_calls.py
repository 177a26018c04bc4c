"""What passes between the service and its worker processes."""

from dataclasses import dataclass, field
from typing import Any

SHARE = "ttsr.service.worker_models:share"
INSPECT = "ttsr.service.picture_calls:inspect"
CALIBRATE = "ttsr.service.picture_calls:calibrate"
PLAN = "ttsr.service.picture_calls:plan"
UPSCALE = "ttsr.service.upscale_call:upscale"
DRAW = "ttsr.service.drawing_calls:draw"
DRAW_REFERENCE = "ttsr.service.drawing_calls:draw_reference"
DRAW_REFERENCE_COLOURS = "ttsr.service.drawing_calls:draw_reference_colours"
CONVERT = "ttsr.service.drawing_calls:convert"
ORIGIN = "ttsr.service.drawing_calls:origin"


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker process computes with; one that does not compute has none.

    Attributes:
        models: the place of each model by its public name, as `ttsr.load` takes it; empty for those that ship.
        device: where to compute, as in `ttsr.options.Device`.
        threads: of the CPU.
        max_memory: bytes that the process may take (on CUDA: of the GPU's memory); None for a share of what is free.
    """

    models: dict[str, str]
    device: str
    threads: int
    max_memory: int | None


@dataclass(frozen=True)
class Call:
    """A function to call in a worker: with its models, a progress, and the arguments.

    It is named as `module:function`, so that the service itself need not import it, and PyTorch with it.
    """

    number: int
    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Cancel:
    """The call is no longer wanted."""

    number: int


@dataclass(frozen=True)
class Ready:
    """The worker has started; one that does not compute has no devices and models.

    Attributes:
        devices: those like its own that there are.
        device_bytes: the memory of each, if it has its own.
        models: the place of each model by its public name.
        precisions: that it can compute in.
    """

    devices: tuple[str, ...] = ()
    device_bytes: int | None = None
    models: dict[str, str] = field(default_factory=dict)
    precisions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """How far a call has come."""

    number: int
    fraction: float
    stage: str


@dataclass(frozen=True)
class Done:
    """A call has ended with a result."""

    number: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """A call has ended with an error; without one it was cancelled.

    Attributes:
        number: of the call; -1 for the start of the process.
        error: one line for the client.
        bad_input: the client's input was to blame.
    """

    number: int
    error: str | None
    bad_input: bool = False
