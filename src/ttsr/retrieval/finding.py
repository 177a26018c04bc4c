"""The few photos of many that help a picture: those that show the same subject, the likeliest to help first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsr.errors import ImageError, UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.resize import SCALE
from ttsr.inference.fitting import SMALLEST_SCALE
from ttsr.inference.job_files import output_pattern
from ttsr.inference.references import Reference, read_reference
from ttsr.inference.upscaler import Upscaler
from ttsr.options import DEFAULT_MAX_REFS
from ttsr.progress import Progress
from ttsr.registration.pose import PoseKeypoints
from ttsr.retrieval.photo_index import IndexedPhoto, PhotoIndex, index_photos
from ttsr.retrieval.ranking import RankedPhoto, detail, rank_photos
from ttsr.system.files import identities

# So many of the likeliest photos are fitted, also where fewer are wanted: which of them match best is told only then.
_FITTED = 3
# Where no photo has keypoints that agree, so many are compared by their textures, as any reference without a pose is.
_TRIED_BY_TEXTURES = 3


@dataclass(frozen=True)
class FoundReference:
    """A photo that was chosen as a reference.

    Attributes:
        path: of the file.
        reference: fitted to the picture that it was chosen for.
        why: for people, such as `212 keypoints agree, scale 1.08, rotation 3 degrees, colours matched`.
        score: by which they are ordered: the keypoints that agree, less for a photo of a smaller scale; without
            such keypoints the similarity of the matches, at most 1.
    """

    path: Path
    reference: Reference
    why: str
    score: float


@dataclass(frozen=True)
class FoundReferences:
    """The photos that were chosen for a picture.

    Attributes:
        chosen: the likeliest to help first; empty if no photo shows the same subject.
        judged: how many photos there were to choose from.
        unreadable: one line for each file that could not be read, which names it.
    """

    chosen: tuple[FoundReference, ...]
    judged: int
    unreadable: dict[Path, str]

    @property
    def references(self) -> tuple[Reference, ...]:
        """For `Upscaler.upscale` of the same picture."""
        return tuple(found.reference for found in self.chosen)


def find_references(
    upscaler: Upscaler,
    image: str | Path | Picture,
    photos: str | Path | Sequence[str | Path] | PhotoIndex,
    *,
    max_refs: int = DEFAULT_MAX_REFS,
    source: Path | None = None,
    without: Iterable[Path] = (),
    progress: Progress | None = None,
) -> FoundReferences:
    """Choose the photos that help a picture: those that show the same subject, by keypoints and by matched textures.

    Every photo is compared by its keypoints (SIFT), which are kept in the cache. Those that agree best are then fitted
    to the picture as `Upscaler.fit_references` fits any reference. The picture itself and its earlier results are never
    chosen.

    Args:
        upscaler: that will take the references.
        image: the picture to upscale.
        photos: a folder, a pattern such as `holiday/*.jpg`, or several of these and of files. For several pictures,
            what `index_photos` made of them once.
        max_refs: how many to choose at most.
        source: the picture's file, where it is given as a `Picture`.
        without: files that are not to be chosen.
        progress: of the whole.

    Raises:
        ImageError: the picture cannot be read, or there are no photos.
        UserError: `max_refs` is not positive.
        Cancelled: through `progress`.
    """
    if max_refs < 1:
        raise UserError(f"cannot choose {max_refs} references", "take at least 1")
    progress = progress or Progress()
    if isinstance(image, Picture):
        picture = image
    else:
        picture, source = read_picture(image), Path(image)
    if not isinstance(photos, PhotoIndex):
        photos = index_photos(photos, progress=progress.part(0, 0.6, "looking at photos"))
    candidates = _eligible(photos.photos, source, without)
    lr, matching = PoseKeypoints(picture.rgb, SCALE), upscaler.matching
    comparing = progress.part(0.6, 0.7, "comparing photos")
    ranked = rank_photos(lr, candidates, mirrored=matching.mirrored, progress=comparing)
    unreadable = dict(photos.unreadable)
    agreeing = [photo for photo in ranked if photo.inliers and photo.scale >= SMALLEST_SCALE]
    tries = _Tries(upscaler, picture, unreadable, progress.part(0.7, 1, "fitting references"))
    chosen = tries.fitted(agreeing, max(max_refs, _FITTED))
    if not chosen and matching.pose:  # otherwise it is not told whether anything matches
        chosen = tries.fitted([photo for photo in ranked if not photo.inliers][:_TRIED_BY_TEXTURES], max_refs)
    progress.update(1)
    chosen.sort(key=lambda found: -found.score)
    return FoundReferences(tuple(chosen[:max_refs]), len(candidates), unreadable)


def _eligible(photos: Iterable[IndexedPhoto], source: Path | None, without: Iterable[Path]) -> list[IndexedPhoto]:
    """Without the picture itself, its earlier results, wherever they lie, and the files of `without`."""
    taken = {key for path in [*without, *([source] if source else [])] for key in identities(path)}
    pattern, eligible = output_pattern(), []
    for photo in photos:
        made_from = pattern.fullmatch(photo.path.stem)
        if source and made_from and made_from[1] in (source.stem, source.name):
            continue
        if taken.isdisjoint(identities(photo.path)):
            eligible.append(photo)
    return eligible


class _Tries:
    """Fits photos to a picture one after the other; those that cannot be read are noted."""

    def __init__(self, upscaler: Upscaler, picture: Picture, unreadable: dict[Path, str], progress: Progress) -> None:
        self._upscaler, self._picture, self._unreadable, self._progress = upscaler, picture, unreadable, progress

    def fitted(self, photos: Sequence[RankedPhoto], enough: int) -> list[FoundReference]:
        """The first of the photos that show anything that matches."""
        found: list[FoundReference] = []
        for photo in photos:
            if len(found) == enough:
                break
            self._progress.update(len(found) / enough)
            path = photo.photo.path
            try:
                pixels = read_reference(path)
            except ImageError as error:
                self._unreadable[path] = str(error)
                continue
            (reference,) = self._upscaler.fit_references(self._picture, [Reference(pixels)])
            if not reference.left_out:
                found.append(_found(path, reference, photo))
        return found


def _found(path: Path, reference: Reference, ranked: RankedPhoto) -> FoundReference:
    fit = reference.fit
    if fit is None or fit.similarity is None:  # this upscaler takes references as they are
        return FoundReference(path, reference, f"{ranked.inliers} keypoints agree", ranked.weight)
    if fit.pose is None:
        return FoundReference(path, reference, f"its textures match, {fit}", fit.similarity)
    why = f"{fit.pose.inliers} keypoints agree, {fit}"
    return FoundReference(path, reference, why, fit.pose.inliers * detail(fit.pose.scale))
