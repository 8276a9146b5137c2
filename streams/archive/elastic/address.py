"""Addresses of Elasticsearch: with a port, and without the user and password that may stand in them."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from streams.errors import SettingsError

__all__ = ["SCHEMES", "is_elastic", "normalised", "without_user"]

SCHEMES = {"https": 443, "http": 9200, "elasticsearch": 9200}
"""And the port of an address that names none; `elasticsearch` is plain HTTP."""


def is_elastic(url: str) -> bool:
    return url.partition("://")[0].lower() in SCHEMES


def without_user(url: str) -> tuple[str, str, str]:
    """(url, user, password) of an address that may carry both; of several nodes the first that does.

    Raises `SettingsError`, which shows nothing of it.
    """
    user = password = ""
    nodes: list[str] = []
    for node in url.split(","):
        parts = _split(node)
        _, at, host = parts.netloc.rpartition("@")
        if at and not user:
            name, _, secret = parts.netloc.rpartition("@")[0].partition(":")
            user, password = unquote(name), unquote(secret)
        nodes.append(urlunsplit(parts._replace(netloc=host)) if at else node)
    return ",".join(nodes), user, password


def normalised(url: str) -> str:
    """The address as the client wants it, for one node or several; raises `SettingsError`, which shows no password."""
    clean, _, _ = without_user(url)
    return ",".join(_node(_split(node.strip()), clean) for node in clean.split(","))


def _split(node: str) -> SplitResult:
    """Raises `SettingsError`, which does not show the address: a password may be anywhere in a malformed one."""
    try:
        return urlsplit(node)
    except ValueError:
        raise SettingsError(
            "MOODWIRE_ARCHIVE_URL is malformed (its value is not shown here): take https://host:port, an IPv6 address"
            " in brackets, such as https://[::1]:9200"
        ) from None


def _node(parts: SplitResult, shown: str) -> str:
    try:
        port = parts.port or SCHEMES[parts.scheme]
    except (KeyError, ValueError) as error:
        raise SettingsError(f"MOODWIRE_ARCHIVE_URL={shown}: take https://host:port or http://host:port") from error
    if not parts.hostname:
        raise SettingsError(f"MOODWIRE_ARCHIVE_URL={shown}: it names no host; take https://host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = "http" if parts.scheme == "elasticsearch" else parts.scheme
    return f"{scheme}://{host}:{port}{parts.path.rstrip('/')}"
