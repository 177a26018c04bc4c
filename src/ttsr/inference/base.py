"""The result of another tool, which the textures of references are added to."""

from ttsr.errors import ImageError, UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE
from ttsr.models.config import TTSRConfig


def read_base(source: Source | Picture, lr: Picture, config: TTSRConfig) -> Picture:
    """Read the enlargement of an LR picture, and see that it is one for this network.

    Raises:
        ImageError: it cannot be read, or is not four times as large as the picture.
        UserError: the network adds to nothing.
    """
    if not config.bicubic_skip:
        raise UserError("this model makes its whole picture itself, and takes no base", "choose ttsr-lite")
    base = source if isinstance(source, Picture) else read_picture(source)
    wanted = SCALE * lr.size[0], SCALE * lr.size[1]
    if base.size != wanted:
        what = "base {}x{}: is not four times as large as the picture".format(*base.size)
        raise ImageError(what, "give one of {}x{}".format(*wanted))
    return base
