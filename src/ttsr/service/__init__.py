"""Upscaling over HTTP: jobs in a bounded queue, worked on by processes of their own."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.service.application import create_application as create_application
    from ttsr.service.settings import ServiceSettings as ServiceSettings

__getattr__ = lazy_imports(__name__, __file__, extra="web")
