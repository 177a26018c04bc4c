"""Reference-based super-resolution after TTSR (Yang et al., CVPR 2020)."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports
from ttsr.models.pretrained import Store, connect

if TYPE_CHECKING:
    from ttsr.errors import (
        DataError as DataError,
        ImageError as ImageError,
        RecipeError as RecipeError,
        UserError as UserError,
        WeightsError as WeightsError,
    )
    from ttsr.export.exporting import export_model as export_model
    from ttsr.images.picture import Picture as Picture
    from ttsr.images.reading import read_picture as read_picture
    from ttsr.images.writing import write_picture as write_picture
    from ttsr.inference.maps import write_maps as write_maps
    from ttsr.inference.plan import Plan as Plan
    from ttsr.inference.references import Reference as Reference
    from ttsr.inference.sizes import upscale_to as upscale_to
    from ttsr.inference.texture_origins import TextureOrigin as TextureOrigin
    from ttsr.inference.upscaled import Upscaled as Upscaled
    from ttsr.inference.upscaler import Upscaler as Upscaler
    from ttsr.models.config import TTSRConfig as TTSRConfig
    from ttsr.models.output import TTSROutput as TTSROutput
    from ttsr.models.ttsr import TTSR as TTSR
    from ttsr.progress import Cancelled as Cancelled, Progress as Progress
    from ttsr.retrieval.finding import (
        FoundReference as FoundReference,
        FoundReferences as FoundReferences,
        find_references as find_references,
    )
    from ttsr.retrieval.photo_index import PhotoIndex as PhotoIndex, index_photos as index_photos
    from ttsr.service import ServiceSettings as ServiceSettings, create_application as create_application
    from ttsr.video.film import Film as Film, open_film as open_film
    from ttsr.video.film_upscaling import (
        FilmPlan as FilmPlan,
        FilmResult as FilmResult,
        plan_film as plan_film,
        upscale_film as upscale_film,
    )
    from ttsr.weights.catalog import available_weights as available_weights
    from ttsr.weights.loading import load as load
    from ttsr.weights.provenance import Provenance as Provenance
    from ttsr.weights.saving import read_metadata as read_metadata, save as save

__version__ = "0.1.0"
__getattr__ = lazy_imports(__name__, __file__)


def _store() -> Store:
    from ttsr.weights import hub_models  # on first use, as everything here

    return hub_models


connect(_store)
