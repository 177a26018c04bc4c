"""Training: recipes, the loop, checkpoints, validation."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.training.loop import Outcome, train
    from ttsr.training.recipe import Recipe
    from ttsr.training.recipe_text import read_recipe
    from ttsr.training.trainer import Trainer

__all__ = ["Outcome", "Recipe", "Trainer", "read_recipe", "train"]

_HOMES = {"Outcome": "loop", "train": "loop", "Recipe": "recipe", "read_recipe": "recipe_text", "Trainer": "trainer"}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for name, home in _HOMES.items()})
