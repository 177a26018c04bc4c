"""An optimizer step over all parts of a batch and all processes."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ttsr.system.distributed import Runtime

_OPTIONS = ("betas", "eps", "weight_decay")


class TrainingOptimizer:
    """An optimizer with what its step needs before: loss scaling for fp16, averaging over processes, clipping, a check.

    Args:
        optimizer: PyTorch's; owns the parameters.
        runtime: the processes to average over.
        scaled: multiply the loss, so that gradients in fp16 do not vanish.
        clip_norm: largest norm of the gradient; 0 for no clipping.

    Attributes:
        num_skipped: steps without a finite loss or gradient, which did not change the weights.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, runtime: Runtime, *, scaled: bool, clip_norm: float = 0.0
    ) -> None:
        self.optimizer, self.runtime, self.clip_norm = optimizer, runtime, clip_norm
        self.scaler = torch.amp.GradScaler(runtime.device.type, enabled=scaled)
        self.num_skipped = 0
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state. Learning rates are set at each step, and Adam's options stay those of the recipe."""
        options = [{name: group[name] for name in _OPTIONS} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, own in zip(self.optimizer.param_groups, options, strict=True):
            group.update(own)
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])

    def set_rates(self, factor: float, *rates: float) -> None:
        """Set each parameter group's learning rate to `factor` times its rate."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a part's loss."""
        self.scaler.scale(loss).backward()

    def discard_gradients(self) -> None:
        """Drop the gradients gathered since the last step."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self, metrics: Mapping[str, Tensor], gradient: str = "gradient") -> dict[str, float]:
        """Step by the gradients gathered since the last call, unless they or the metrics are not finite.

        Returns:
            The metrics, scalars, and under the name `gradient` the norm of the gradient, as means over the processes.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.runtime.average(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm or math.inf)
        means = self.runtime.means({**metrics, gradient: norm})
        finite = all(math.isfinite(means[name]) for name in metrics)
        if finite and (math.isfinite(means[gradient]) or self.scaler.is_enabled()):
            self.scaler.step(self.optimizer)  # skips a gradient that overflows in fp16
        self.scaler.update()
        # In fp16 a gradient may overflow because of the scale, which the next step lowers; not any more below 1.
        overflow = self.scaler.is_enabled() and self.scaler.get_scale() >= 1
        self.num_skipped += not (finite and (math.isfinite(means[gradient]) or overflow))
        self.discard_gradients()
        return means
