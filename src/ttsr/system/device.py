"""Where to compute."""

import torch

from ttsr.errors import UserError
from ttsr.options import DEFAULT_DEVICE, check_device_name


def choose_device(name: str | torch.device = DEFAULT_DEVICE) -> torch.device:
    """Find a device by its name, as in `ttsr.options.Device`; `auto` is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        UserError: this machine has no such device, or the name is none.
    """
    check_device_name(str(name))
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device here (or a PyTorch built without CUDA)", "use device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"no device {device}", f"the last one here is cuda:{torch.cuda.device_count() - 1}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("no Apple GPU (mps) here", "use device cpu")
    return device
