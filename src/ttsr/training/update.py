"""One optimiser's step, over all parts of a batch and all processes."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ttsr.system.distributed import Runtime


class Update:
    """An optimiser with what belongs before its step: scaling for fp16, averaging over processes, clipping, a check."""

    def __init__(
        self, optimizer: torch.optim.Optimizer, runtime: Runtime, *, scaled: bool, clip_norm: float = 0.0
    ) -> None:
        """scaled: the loss is multiplied so that gradients in fp16 do not vanish. clip_norm: 0 for no clipping."""
        self.optimizer, self.runtime, self.clip_norm = optimizer, runtime, clip_norm
        self.scaler = torch.amp.GradScaler(runtime.device.type, enabled=scaled)
        self.num_unsound = 0
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def state(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state; the rates are set anew at each step, and other betas than its own are kept."""
        betas = [group["betas"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, own in zip(self.optimizer.param_groups, betas, strict=True):
            group["betas"] = own
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])

    def set_rates(self, factor: float, *rates: float) -> None:
        for group, base in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = base * factor

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def finish(self, figures: Mapping[str, Tensor], gradient: str = "gradient") -> dict[str, float]:
        """Step by the gradients gathered since the last call, unless they or the figures are not finite.

        `num_unsound` counts those times. Gives the figures' means over the processes, and the gradient's norm under the
        name `gradient`.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.runtime.average(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm or math.inf)
        means = self.runtime.means({**figures, gradient: norm})
        sound = all(math.isfinite(means[name]) for name in figures)
        if sound and (math.isfinite(means[gradient]) or self.scaler.is_enabled()):
            self.scaler.step(self.optimizer)  # which in fp16 leaves too large a gradient out
        self.scaler.update()
        # In fp16 too large a gradient is the scale's fault, which the next step has lower; below 1 it no longer is.
        blameless = self.scaler.is_enabled() and self.scaler.get_scale() >= 1
        self.num_unsound += not (sound and (math.isfinite(means[gradient]) or blameless))
        self.optimizer.zero_grad(set_to_none=True)
        return means
