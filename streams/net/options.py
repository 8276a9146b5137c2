"""What the settings say of outgoing HTTP. Imports no HTTP library: every command reads the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streams.errors import SettingsError
from streams.net.networks import Network

__all__ = ["NetOptions", "checked_proxy"]


@dataclass(frozen=True, slots=True)
class NetOptions:
    """Networks that foreign addresses may lead into, and a proxy, whose URL may hold a password."""

    allowed: Sequence[Network] = ()
    proxy: str | None = field(default=None, repr=False)


def checked_proxy(url: str) -> str:
    """Returns `url` if it can be a proxy's; raises `SettingsError`, which does not show it."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError("MOODWIRE_PROXY must look like http://host:port (its value is not shown here)")
    return url
