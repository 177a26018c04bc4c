"""Films: frame by frame, with what one frame has found as the start of the next. Needs PyAV, the extra `video`."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.video.film import Film as Film, FilmFrame as FilmFrame, open_film as open_film
    from ttsr.video.film_names import FILM_SUFFIXES as FILM_SUFFIXES, is_film as is_film
    from ttsr.video.film_upscaling import (
        FilmPlan as FilmPlan,
        FilmResult as FilmResult,
        plan_film as plan_film,
        upscale_film as upscale_film,
    )
    from ttsr.video.frame_upscaler import FrameUpscaler as FrameUpscaler
    from ttsr.video.sharp_frames import find_sharp_frames as find_sharp_frames

__getattr__ = lazy_imports(__name__, __file__)
