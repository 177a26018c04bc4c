"""Options that several commands have in common."""

from typing import Annotated

from cyclopts import Parameter

from ttsr.errors import UserError
from ttsr.options import Device, Precision, check_device_name


def _check_device(_: object, name: str) -> None:
    try:
        check_device_name(name)
    except UserError as error:  # cyclopts prints the first argument of an error only
        raise ValueError(str(error)) from None


DeviceOption = Annotated[
    Device,
    Parameter(
        validator=_check_device,
        help="Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    Parameter(help="fp32 is exact; bf16 and fp16 are faster on GPUs; tf32 is fp32 with rounded products, on CUDA."),
]
