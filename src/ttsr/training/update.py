"""One optimiser's step, over all parts of a batch and all processes."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ttsr.runtime import Runtime


class Update:
    """An optimiser with what belongs before its step: scaling for fp16, averaging over processes, clipping, a check."""

    def __init__(
        self, optimizer: torch.optim.Optimizer, runtime: Runtime, *, scaled: bool, clip_norm: float = 0.0
    ) -> None:
        """scaled: the loss is multiplied so that gradients in fp16 do not vanish. clip_norm: 0 for no clipping."""
        self.optimizer, self.runtime, self.clip_norm = optimizer, runtime, clip_norm
        self.scaler = torch.amp.GradScaler(runtime.device.type, enabled=scaled)
        self.is_sound = True
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def state(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])

    def set_rates(self, factor: float, *rates: float) -> None:
        for group, base in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = base * factor

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def finish(self, figures: Mapping[str, Tensor], gradient: str = "gradient") -> dict[str, float]:
        """Step by the gradients gathered since the last call, unless they or the figures are not finite.

        `is_sound` then tells which. Gives the figures' means over the processes, and the gradient's norm under the name
        `gradient`.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.runtime.average(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.get_total_norm(gradients)
        if self.clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, norm)
        means = self.runtime.means({**figures, gradient: norm})
        # In fp16 too large a gradient is the scale's fault: the scaler skips the step and lowers it.
        checked = means if not self.scaler.is_enabled() else {name: means[name] for name in figures}
        self.is_sound = all(math.isfinite(value) for value in checked.values())
        if self.is_sound:
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return means
