"""Recipes: everything that decides a training run, as data."""

from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from ttsr.data.photos import PhotosOptions
from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig


def _require(holds: bool, rule: str, options: object) -> None:
    if not holds:
        raise ValueError(f"{type(options).__name__}: {rule}")


@dataclass(frozen=True)
class LossWeights:
    """rec: L1 between SR and HR in [-1, 1] (equation 10). contrastive: see `losses.contrastive`."""

    rec: float = 1.0
    contrastive: float = 0.0

    def __post_init__(self) -> None:
        _require(min(self.rec, self.contrastive) >= 0, "weights of losses must not be negative", self)


@dataclass(frozen=True)
class OptimizerOptions:
    """Adam. lr: of the synthesis network; extractor_lr: of the extractor; clip_norm: of the gradient, 0 for none."""

    lr: float = 1e-4
    extractor_lr: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _require(min(self.lr, self.extractor_lr, self.clip_norm) >= 0, "rates and clip_norm must not be negative", self)
        _require(all(0 <= beta < 1 for beta in self.betas), "betas must lie in [0, 1)", self)


@dataclass(frozen=True)
class ScheduleOptions:
    """The learning rate rises over `warmup_steps`, stays, and falls to zero as a cosine over the last `decay_steps`.

    contrastive_steps: the first so many steps train the extractor alone, with the contrastive term.
    """

    steps: int = 200_000
    warmup_steps: int = 0
    decay_steps: int = 0
    contrastive_steps: int = 0

    def __post_init__(self) -> None:
        _require(self.steps >= 1, "steps must be at least 1", self)
        others = (self.warmup_steps, self.decay_steps, self.contrastive_steps)
        _require(min(others) >= 0, "numbers of steps must not be negative", self)


@dataclass(frozen=True)
class Recipe:
    """A training run.

    data: `cufed` (input/ and ref/) or `photos` (a plain folder, pairs made on the fly as `photos` says).
    residual_start: what the last convolution of every residual block is multiplied by at the start.
    ema: decay of the moving average of the weights, which is what is saved as the model; 0 for none.
    checkpoint_steps, log_steps: how often.
    licence: of the weights that come out.
    """

    name: str
    model: TTSRConfig = field(default_factory=TTSRConfig)
    data: Literal["cufed", "photos"] = "cufed"
    photos: PhotosOptions = field(default_factory=PhotosOptions)
    batch_size: int = 9
    losses: LossWeights = field(default_factory=LossWeights)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    residual_start: float = 1.0
    ema: float = 0.0
    seed: int = 0
    checkpoint_steps: int = 500
    log_steps: int = 20
    licence: str = "Apache-2.0"

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "batch_size must be at least 1", self)
        _require(min(self.checkpoint_steps, self.log_steps) >= 1, "checkpoint_steps and log_steps: 1 at least", self)
        _require(0 <= self.ema < 1, "ema must lie in [0, 1)", self)
        _require(self.seed >= 0, "seed must not be negative", self)


def read_recipe(name_or_path: str) -> Recipe:
    """A recipe that ships with the package, by name, or one from a YAML file.

    Raises:
        RecipeError: no such recipe, unreadable YAML, an unknown, missing or misfit field; all of them named.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: cannot be read ({error})") from error
    else:
        shipped = resources.files("ttsr") / "recipes" / f"{name_or_path}.yaml"
        if not shipped.is_file():
            names = ", ".join(recipe_names())
            raise RecipeError(f"{name_or_path}: no such recipe; there are {names}, or give a .yaml file")
        text = shipped.read_text(encoding="utf-8")
    return parse_recipe(text, name_or_path)


def parse_recipe(text: str, where: str) -> Recipe:
    """A recipe from YAML text; `where` is its name for errors.

    Raises:
        RecipeError: not YAML, or an unknown, missing or misfit field; all of them named.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not YAML ({' '.join(str(error).split())})") from error
    try:
        recipe: Recipe = _build(Recipe, content, "")
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{where}: {error}") from error
    return recipe


def check_same(before: Recipe, now: Recipe) -> None:
    """A run is to be resumed with the recipe that it was started with, its length and what it writes excepted.

    Raises:
        RecipeError: names the fields that differ.
    """
    old, new = _flat(asdict(before)), _flat(asdict(now))
    free = {"name", "schedule.steps", "schedule.decay_steps", "checkpoint_steps", "log_steps", "licence"}
    differ = [name for name in new if new[name] != old[name] and name not in free]
    if differ:
        raise RecipeError(f"{now.name}: the run was started with another recipe; {', '.join(differ)} differ")


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    shipped = (file.name for file in (resources.files("ttsr") / "recipes").iterdir())
    return sorted(name.removesuffix(".yaml") for name in shipped if name.endswith(".yaml"))


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML, every field given; `read_recipe` takes it back."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return yaml.safe_dump(plain(asdict(recipe)), sort_keys=False)


def _build(kind: Any, value: Any, where: str) -> Any:
    """A value of a field's type from what YAML gave; `where` is the field's dotted name."""
    if is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list) or len(value) != len(kinds):
            raise TypeError(f"{where} must be a list of {len(kinds)}, not {value!r}")
        return tuple(_build(k, v, where) for k, v in zip(kinds, value, strict=True))
    if get_origin(kind) in (Literal, Union):
        if value not in get_args(kind):
            raise ValueError(f"{where} must be one of {', '.join(map(str, get_args(kind)))}, not {value!r}")
        return value
    if kind is float and isinstance(value, str):
        # YAML 1.1 reads 1e-4 as a string.
        try:
            value = float(value)
        except ValueError:
            raise TypeError(f"{where} must be a number, not {value!r}") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise TypeError(f"{where} must be {kind.__name__}, not {value!r}")
    return value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{where or 'the file'} must hold named fields, not {value!r}")
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    dotted = f"{where}." if where else ""
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ValueError(f"unknown field{'s'[: len(unknown) > 1]} {', '.join(dotted + str(name) for name in unknown)}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in value]
    if needed:
        raise ValueError(f"missing {', '.join(dotted + name for name in needed)}")
    return kind(**{name: _build(hints[name], item, dotted + name) for name, item in value.items()})
