"""The page at `/`, and the files below `/page/` that it consists of: nothing is loaded from elsewhere."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
}
# Zoom in step is shared with the pages of `ttsr compare`, `ttsr evaluate` and `ttsr pairs`.
_SHARED = ("synchronized_zoom.js", "synchronized_zoom.css")
_HEADERS = {
    # No script or style within the page, and no address but this server's. Thumbnails are of files not sent yet: blobs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    # After an update of the package a browser must not mix old files with new ones.
    "Cache-Control": "no-cache",
}


class PageFile(NamedTuple):
    """A file of the page: its bytes, its type for HTTP, and a tag that changes with them."""

    content: bytes
    media_type: str
    tag: str


@cache
def page_files() -> dict[str, PageFile]:
    """The files by name, `index.html` among them."""
    own = [file for file in files("ttsr.service").joinpath("page").iterdir() if file.is_file()]
    shared = [files("ttsr.images").joinpath(name) for name in _SHARED]
    found = {}
    for file in (*own, *shared):
        media_type = _TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = PageFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
    return found


page_routes = APIRouter(include_in_schema=False)


@page_routes.get("/")
def page(request: Request) -> Response:
    """The page."""
    return _answer("index.html", request)


@page_routes.get("/page/limits.json")
def page_limits(request: Request) -> dict[str, int]:
    """What the service takes of photos, so that the page can say so before it sends them."""
    settings = request.app.state.service.settings
    return {"references": settings.references, "upload_bytes": settings.upload_bytes}


@page_routes.get("/page/{name}")
def page_file(request: Request, name: str) -> Response:
    """A file that the page loads."""
    return _answer(name, request)


def _answer(name: str, request: Request) -> Response:
    file = page_files().get(name)
    if file is None:
        raise HTTPException(404, f"{name}: the page has no such file")
    headers = {**_HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
