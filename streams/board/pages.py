"""The page: index.html for every view, and the files beside it, with an ETag each."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from mimetypes import guess_type
from typing import Final

from aiohttp import web

__all__ = ["VIEWS", "Pages"]

VIEWS: Final = ("/", "/now", "/series", "/series/{name}", "/alerts", "/alerts/{id}", "/feed")
"""The paths that show the page; its script decides what it shows there."""

_BASE_MARK = "%BASE%"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Pages:
    """The files of the page, read once. In index.html %BASE% becomes the path at which the board is mounted."""

    def __init__(self, base: str, folder: Traversable | None = None) -> None:
        root = folder or resources.files("streams.board") / "page"
        index = (root / "index.html").read_text(encoding="utf-8").replace(_BASE_MARK, html.escape(base))
        self._index = _file("index.html", index.encode())
        self._files = dict(_files(root, ""))

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Answers every view."""
        return _answer(request, self._index)

    async def missing(self, _: web.Request) -> web.StreamResponse:
        """Answers a reader's address that is none: the page, which says so."""
        response = web.Response(status=404, body=self._index.body, headers={"Cache-Control": "no-store"})
        response.content_type, response.charset = self._index.content_type, "utf-8"
        return response

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Answers a file of the page by its path; raises HTTPNotFound."""
        found = self._files.get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)


def _files(folder: Traversable, prefix: str) -> list[tuple[str, _File]]:
    found: list[tuple[str, _File]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif entry.name != "index.html":
            found.append((f"{prefix}{entry.name}", _file(entry.name, entry.read_bytes())))
    return found


def _file(name: str, body: bytes) -> _File:
    suffix = name[name.rfind(".") :]
    content_type = _TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream"
    return _File(body, content_type, hashlib.sha256(body).hexdigest()[:16])


def _answer(request: web.Request, file: _File) -> web.StreamResponse:
    """Kept by browsers and asked for again each time, so that an upgrade shows at once."""
    response = web.Response(headers={"Cache-Control": "no-cache"})
    response.etag = file.etag
    if any(tag.value in (file.etag, "*") for tag in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.body = file.body
    response.content_type = file.content_type
    if file.content_type.startswith("text/"):
        response.charset = "utf-8"
    return response
