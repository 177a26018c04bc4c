"""Options that several commands have in common."""

from typing import Annotated

from cyclopts import Parameter

from ttsr.errors import UserError
from ttsr.options import Device, check_device_name


def _check_device(_: object, name: str) -> None:
    try:
        check_device_name(name)
    except UserError as error:  # cyclopts prints the first argument of an error only
        raise ValueError(str(error)) from None


DeviceOption = Annotated[Device, Parameter(validator=_check_device)]
