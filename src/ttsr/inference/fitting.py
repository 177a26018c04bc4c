"""References fitted to an LR picture before the search: pose, colours, and whether they show anything of it.

Not in the paper. The features that are compared are those of upright pictures of one scale. A reference that shows the
thing larger, smaller or rotated is resampled so that it does not, and keeps the map to its own pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ttsr.geometry import Homography, compose, normalize
from ttsr.images.picture import to_pixels, to_tensor
from ttsr.images.resize import SCALE, blur_by_resize, cut_to_multiple, resize_bicubic, upscale4
from ttsr.inference.matching_choices import MatchingChoices
from ttsr.inference.references import Reference, ReferencePixels
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.refine import coherence, luma, refine
from ttsr.models.streaming import coarse_features
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.registration.colour import ColourMap, apply_colours, fit_colours
from ttsr.registration.pose import Pose, PoseKeypoints, estimate_pose
from ttsr.registration.resampling import resample

# Candidates are compared on copies of at most so many cells: LR, and reference.
_LR_CELLS, _REFERENCE_CELLS = 11_000, 100_000
_RADIUS = 4  # of match refinement in that comparison, in pixels
# The reference as it is competes with its resampled copy only where their scales and angles are near each other.
_NEAR_SCALE, _NEAR_ROTATION = 1.5, 30.0

SMALLEST_SCALE = 0.27
"""Of a reference that is used; one that shows it smaller shows no more than the LR does."""

# Without a pose: correlation times coherence of the matches. 36 pairs of pictures of different things reached 0.34, and
# 36 of the same things had 0.40 at least.
_AGREEING = 0.37
# Matches that colours are compared at.
_CORRELATED = 0.9
# Gains and offsets nearer than this to 1 and 0 change nothing that can be seen.
_SAME_GAIN, _SAME_OFFSET = 0.02, 1 / 255
_BLOCK_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class Fit:
    """How a reference was fitted to an LR picture.

    Attributes:
        original: the pixels as they were.
        lr_size: (width, height) of the LR picture.
        use: `as it is`; `resampled` by the pose; or `left out`, since nothing in it matches.
        pose: where it shows what the LR picture shows, if that was found.
        colours: the gain and offset of each channel that were applied; None for none.
        similarity: how well its matches fit, in [0, 1]: the mean fourth power of their correlation. It compares
            references of the same picture. None where nothing was compared.
    """

    original: ReferencePixels
    lr_size: tuple[int, int]
    use: Literal["as it is", "resampled", "left out"]
    pose: Pose | None = None
    colours: ColourMap | None = None
    similarity: float | None = None

    def __str__(self) -> str:
        """For people, such as `scale 0.48, rotation -12 degrees, colours matched`."""
        if self.use == "left out":
            return "shows nothing that matches, and is left out"
        said = []
        if self.pose is not None and self.use == "resampled":
            said.append(f"scale {self.pose.scale:.2f}, rotation {self.pose.rotation:.0f} degrees")
            said += ["mirrored"] * self.pose.mirrored
        said += ["colours matched"] * (self.colours is not None)
        return ", ".join(said) or "used as it is"


@dataclass(frozen=True)
class _Comparison:
    """How well a candidate matches, by two measures, and the colours (N, 3) in [0, 1] where it does."""

    score: float
    agreement: float
    lr_colours: NDArray[np.float32]
    colours: NDArray[np.float32]


class ReferenceFitter:
    """Fits references to one LR picture.

    Args:
        model: whose features are compared.
        lr: (h, w, 3) uint8 or uint16.
        choices: whether poses are estimated, which also leaves out references without anything that matches, and
            whether colours are matched.
    """

    def __init__(self, model: TTSR, lr: NDArray[Any], choices: MatchingChoices) -> None:
        self.model, self.lr, self.choices = model, lr, choices
        self.keypoints = PoseKeypoints(lr, SCALE)
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def fit(self, references: Sequence[ReferencePixels], progress: Progress | None = None) -> tuple[Reference, ...]:
        """Fit each reference by itself.

        Raises:
            Cancelled: through `progress`.
        """
        progress, fitted = progress or Progress(), []
        for number, reference in enumerate(references):
            part = progress.part(number / len(references), (number + 1) / len(references))
            fitted.append(self._fit(reference, part))
        return tuple(fitted)

    def _fit(self, reference: ReferencePixels, progress: Progress) -> Reference:
        choices, pose = self.choices, None
        if choices.pose:
            pose = estimate_pose(self.keypoints, reference.keypoints, mirrored=choices.mirrored)
        fit = Fit(reference, (self.lr.shape[1], self.lr.shape[0]), "as it is", pose)
        progress.update(0.3)
        if pose is not None and pose.scale < SMALLEST_SCALE:
            return Reference(reference, replace(fit, use="left out"))
        as_is = resampled = None
        if pose is not None:
            resampled = self._compare(reference, pose)
            progress.update(0.5)
        if pose is None or resampled is None or _is_near(pose):
            as_is = self._compare(reference, None)
            progress.update(0.7)
        best, pixels = as_is, reference
        if pose is not None and resampled is not None and (as_is is None or resampled.score > as_is.score):
            best, pixels, fit = resampled, self._resampled(reference, pose), replace(fit, use="resampled")
        assert best is not None and pixels is not None, "either was compared, and a smaller copy shows as much"
        fit = replace(fit, similarity=best.score)
        progress.update(1)
        if choices.pose and pose is None and best.agreement < _AGREEING:
            return Reference(reference, replace(fit, use="left out"))
        colours = fit_colours(best.lr_colours, best.colours) if choices.match_colour else None
        if colours is None or np.all(np.abs(colours - [1, 0]) < [_SAME_GAIN, _SAME_OFFSET]):
            return Reference(pixels, fit)
        return Reference(replace(pixels, rgb=apply_colours(pixels.rgb, colours)), replace(fit, colours=colours))

    @torch.inference_mode()
    def moved(self, reference: Reference, motion: Homography) -> Reference:
        """A reference that was resampled to fit another frame, as it fits this one; others as they are.

        `motion` maps points of this frame, enlarged four times, to those of the other one.
        """
        fit = reference.fit
        if fit is None or fit.pose is None or fit.use != "resampled":
            return reference
        pose = replace(fit.pose, to_reference=normalize(compose(fit.pose.to_reference, motion)))
        pixels = self._resampled(fit.original, pose)
        if pixels is None:  # it shows nothing of this frame
            return reference
        if fit.colours is not None:
            pixels = replace(pixels, rgb=apply_colours(pixels.rgb, fit.colours))
        return Reference(pixels, replace(fit, pose=pose))

    def _frame(self, shrink: float = 1.0) -> tuple[int, int]:
        """(width, height) of the enlarged LR picture, or of that of its smaller copy."""
        height, width = self.lr.shape[:2]
        return SCALE * max(1, round(width / shrink)), SCALE * max(1, round(height / shrink))

    def _compare(self, reference: ReferencePixels, pose: Pose | None) -> _Comparison | None:
        """Match smaller copies of the LR and the reference, resampled by the pose if given."""
        shrink = max(1.0, math.sqrt(self.lr.shape[0] * self.lr.shape[1] / _LR_CELLS))
        if pose is None:
            shrink = max(shrink, math.sqrt(math.prod(reference.grid) / _REFERENCE_CELLS))
        frame = self._frame(shrink)
        lr = resize_bicubic(self.lr, frame[0] // SCALE, frame[1] // SCALE) if shrink > 1 else self.lr
        if pose is not None:
            to_frame = np.diag([self._frame()[0] / frame[0], self._frame()[1] / frame[1], 1.0])
            found = resample(reference.rgb, compose(pose.to_reference, to_frame), frame)
            if found is None:
                return None
            rgb, mask = found.rgb, torch.from_numpy(found.mask)[None].to(self._device)
        else:
            height, width = (max(SCALE, round(side / shrink)) for side in reference.rgb.shape[:2])
            rgb, mask = cut_to_multiple(resize_bicubic(reference.rgb, width, height)), None
        up, ref, blurred = (to_tensor(image, device=self._device) for image in (upscale4(lr), rgb, blur_by_resize(rgb)))
        queries = coarse_features(self.model.extractor, up, _BLOCK_BYTES).float()
        keys = coarse_features(self.model.extractor, blurred, _BLOCK_BYTES).float()
        index = COHERENT(queries, [keys], masks=[mask], block_bytes=_BLOCK_BYTES).index
        refinement = refine(luma(up), [luma(blurred)], index, _RADIUS)
        zncc = refinement.zncc.clamp_min(0)
        y, x = ((zncc[0, 0] > _CORRELATED).nonzero()).T
        down, right = refinement.shift[0, :, y, x]
        means = F.avg_pool2d(ref, SCALE, stride=1)[0]
        top = (SCALE * y + down).clamp(0, means.shape[1] - 1)
        left = (SCALE * x + right).clamp(0, means.shape[2] - 1)
        small = to_tensor(lr, device=self._device)[0]
        colours = small[:, y, x].T.cpu().numpy(), means[:, top, left].T.cpu().numpy()
        # Its fourth power counts what fits well: of 36 pictures it told the better candidate in all but three.
        return _Comparison(float((zncc**4).mean()), float((zncc * coherence(refinement)).mean()), *colours)

    def _resampled(self, reference: ReferencePixels, pose: Pose) -> ReferencePixels | None:
        """The part of a reference that the enlarged LR shows; None if there is none."""
        found = resample(reference.rgb, pose.to_reference, self._frame(), self._enlarged)
        if found is None:
            return None
        to_source = compose(reference.to_source, found.to_source)
        return ReferencePixels(found.rgb, reference.source, reference.notes, found.mask, to_source)

    def _enlarged(self, rgb: NDArray[Any]) -> NDArray[Any]:
        """By the network, without a reference."""
        lr, up = to_tensor(rgb, device=self._device), to_tensor(upscale4(rgb), device=self._device)
        output = self.model(lr, (), lr_up=up, block_bytes=_BLOCK_BYTES, keep_textures=False)
        return to_pixels(output.sr[0], 8 * rgb.itemsize)


def _is_near(pose: Pose) -> bool:
    scaled = not 1 / _NEAR_SCALE < pose.scale < _NEAR_SCALE
    return not (scaled or abs(pose.rotation) > _NEAR_ROTATION or pose.mirrored)
