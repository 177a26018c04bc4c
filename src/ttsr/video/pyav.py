"""PyAV, which is optional."""

from types import ModuleType

from ttsr.errors import UserError


def pyav() -> ModuleType:
    """The package av.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError("films need the package av (PyAV)", 'pip install "ttsr[video]"') from None
    return av
