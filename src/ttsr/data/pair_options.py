"""How training pairs are made: the options of recipes. Free of torch, so that `ttsr recipes` does not wait for it."""

from dataclasses import dataclass, field
from typing import Literal

PaddingOrder = Literal["degrade-then-pad", "pad-then-degrade"]

_MOST_SIDE = 4096
_MOST_WARP = {"rotation": 360, "scale": 3, "shift": 10, "perspective": 1, "gain": 10, "gamma": 10, "offset": 255}
_MOST_SCALE = 16
_MOST_BLUR, _MOST_NOISE = 100, 255


@dataclass(frozen=True)
class CufedOptions:
    """How pairs are cropped, padded and flipped.

    Attributes:
        hr_size: side of the random HR crop in pixels, a multiple of 4, at least 16.
        ref_size: side of the reference in pixels, a multiple of 4, at least 16; larger ones are cropped.
        padding: order of blurring and zero padding: `degrade-then-pad` (the authors), `pad-then-degrade` (MMagic).
        mask_padding: exclude padded cells from the search.
        flips: rotate by quarters and mirror at random, the HR crop and the reference independently.
    """

    hr_size: int = 160
    ref_size: int = 160
    padding: PaddingOrder = "degrade-then-pad"
    mask_padding: bool = False
    flips: bool = True

    def __post_init__(self) -> None:
        _check_sides(self.hr_size, self.ref_size)


@dataclass(frozen=True)
class Warp:
    """How far a reference may differ from the HR crop; each deviation is drawn uniformly, in both directions.

    Attributes:
        rotation: largest rotation, in degrees.
        scale: largest natural logarithm of the ratio of scales.
        shift: largest shift, as a share of the HR crop's side.
        perspective: largest change of scale across the reference, as a share.
        gain: largest relative change of brightness of a channel.
        gamma: largest natural logarithm of a channel's gamma.
        offset: largest offset of a channel, in 8-bit levels.
    """

    rotation: float = 20.0
    scale: float = 0.3
    shift: float = 0.35
    perspective: float = 0.06
    gain: float = 0.12
    gamma: float = 0.2
    offset: float = 12.0

    def __post_init__(self) -> None:
        for name, most in _MOST_WARP.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must lie in [0, {most}], not {getattr(self, name)}")


@dataclass(frozen=True)
class PhotosOptions:
    """How pairs are made from photos.

    Attributes:
        hr_size: side of the HR crops in pixels, a multiple of 4, at least 16.
        ref_size: side of the reference crops in pixels, a multiple of 4, at least 16.
        only_open: take only photos that `manifest.csv` marks as open = yes.
        by_area: draw large photos more often, by their number of pixels.
        downscale: least scale that photos are made smaller to before they are cropped, drawn uniformly up to 1; so are
            half of the crops, the others are as they are. 1 for none.
        lr_degraded: share of LR crops that are worn, at random: made smaller by another filter, blurred, with noise, or
            compressed as JPEG. The others are made by Pillow's bicubic filter, as in all scores.
        unrelated_share: share of pairs whose reference is a crop of another photo, so that bad matches occur.
        mined_share: share of pairs that are taken from the mined ones (`--mined`), where there are any.
        group_share: share of references cut from another photo of the same manifest `group`, where there is one.
        min_correlation: least ZNCC with the HR crop for a place in another photo of the group to be used.
        warp: how far references that are cut from the same photo differ from the HR crop.
        fitted_share: share of references cut from the same photo that are fitted, as `ttsr upscale` fits them: taken at
            another scale and angle, resampled to those of the HR crop, with a little left of the differences.
        reference_scale: least and largest scale that fitted references are taken at, drawn log-uniformly; those below 1
            arrive blurred.
        fitted_warp: how far fitted references differ from the HR crop, in place of `warp`.
        blur: largest sigma of a Gaussian blur of references, in pixels.
        noise: largest sigma of Gaussian noise on references, in 8-bit levels.
        jpeg: share of references that are compressed as JPEG of quality 40 to 95.
    """

    hr_size: int = 96
    ref_size: int = 96
    only_open: bool = False
    by_area: bool = False
    downscale: float = 1.0
    lr_degraded: float = 0.0
    unrelated_share: float = 0.05
    mined_share: float = 0.0
    group_share: float = 0.5
    min_correlation: float = 0.85
    warp: Warp = field(default_factory=Warp)
    fitted_share: float = 0.0
    reference_scale: tuple[float, float] = (0.4, 2.5)
    fitted_warp: Warp = field(default_factory=lambda: Warp(1.5, 0.02, 0.05, 0.02, 0.03, 0.05, 3.0))
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self) -> None:
        _check_sides(self.hr_size, self.ref_size)
        for name in ("unrelated_share", "mined_share", "group_share", "lr_degraded", "fitted_share", "jpeg"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if not 0 < self.downscale <= 1:
            raise ValueError(f"downscale must lie in (0, 1], not {self.downscale}")
        least, largest = self.reference_scale
        if not 1 / _MOST_SCALE <= least <= largest <= _MOST_SCALE:
            limits = f"positive, rising, and within 1/{_MOST_SCALE} to {_MOST_SCALE}"
            raise ValueError(f"reference_scale must be {limits}, not {least} to {largest}")
        for name, most in (("blur", _MOST_BLUR), ("noise", _MOST_NOISE)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must lie in [0, {most}], not {getattr(self, name)}")


def _check_sides(hr_size: int, ref_size: int) -> None:
    for name, side in (("hr_size", hr_size), ("ref_size", ref_size)):
        if not 16 <= side <= _MOST_SIDE or side % 4:
            raise ValueError(f"{name} must be a multiple of 4 and at least 16, at most {_MOST_SIDE}, not {side}")
