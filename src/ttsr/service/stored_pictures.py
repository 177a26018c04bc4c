"""Reading the pictures that were uploaded."""

from ttsr.images.picture import Picture
from ttsr.images.reading import decode_picture
from ttsr.service.job_request import StoredPicture


def read_stored(stored: StoredPicture) -> Picture:
    """The picture of a file; errors call it as the client does.

    Raises:
        ImageError: it cannot be read.
    """
    return decode_picture(stored.file.read_bytes(), stored.name)
