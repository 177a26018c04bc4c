"""Training: recipes, the loop, checkpoints, validation."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.training.loop import Outcome as Outcome, train as train
    from ttsr.training.recipe import Recipe as Recipe
    from ttsr.training.recipe_text import read_recipe as read_recipe
    from ttsr.training.trainer import Trainer as Trainer

__getattr__ = lazy_imports(__name__, __file__)
