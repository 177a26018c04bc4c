"""The learning rate as a function of the step alone, so that a resumed run needs no more than its step."""

import math

from ttsr.training.recipe import ScheduleOptions


def rate(options: ScheduleOptions, step: int) -> float:
    """Factor of the learning rate in step `step`, counted from 0: warm-up, plateau, halvings, cosine decay to zero."""
    if step < options.warmup_steps:
        return (step + 1) / options.warmup_steps
    plateau = 0.5 ** sum(step >= halving for halving in options.halve_at)
    left = options.steps - step
    if left < options.decay_steps:
        return plateau * (0.5 - 0.5 * math.cos(math.pi * left / options.decay_steps))
    return plateau
