"""What may be asked at all, whoever asks: decisions over the head of a request, and the headers of every answer.

Host             a name of ours, or an address: a page of a stranger whose name is made to point here is refused
Sec-Fetch-Site,
Origin           what changes something comes from our own page, or from no page
path             holds no token: addresses are logged, kept in histories and sent to others
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

from streams.board.problem import Mistake, Part, Problem
from streams.board.tokens import TOKEN_MARK
from streams.net.networks import literal_address

__all__ = ["SECURITY_HEADERS", "Guard"]

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # publishers do not learn the addresses of a desk
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}
"""Headers of every answer."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_TOKEN_KEYS: Final = frozenset({"token", "access_token", "api_key", "apikey", "authorization", "password"})
_TOKEN = re.compile(re.escape(TOKEN_MARK) + r"[A-Za-z0-9_-]{20,}")


@dataclass(frozen=True, slots=True)
class Guard:
    """`hosts` are the names of this board beside loopback's; any address is one of ours."""

    hosts: frozenset[str]

    @classmethod
    def of(cls, hosts: str) -> Guard:
        """Returns the guard for names separated by commas."""
        return cls(frozenset(_name(one.strip()) for one in hosts.split(",") if one.strip()))

    def check(self, method: str, target: str, headers: Sequence[tuple[str, str]], keys: Iterable[str]) -> None:
        """Raises `Problem` for a request that is refused; `target` is as it was sent, `keys` are those of its query."""
        found = _single(headers, ("host", "origin", "sec-fetch-site"))
        self._check_host(found.get("host", ""))
        _check_target(target, keys)
        if method not in _SAFE:
            self._check_site(found)

    def _check_host(self, host: str) -> None:
        name = _name(host)
        if not name:
            raise Problem(HTTPStatus.BAD_REQUEST, "the request names no Host", [_wrong("Host", "name one")])
        if not self._is_ours(name):
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this board is not known as {name!r}; add the name to MOODWIRE_BOARD_HOSTS",
                [_wrong("Host", "no name of this board")],
            )

    def _is_ours(self, name: str) -> bool:
        """An address in Host was typed as one, so no name was made to point here."""
        is_loopback = name == "localhost" or name.endswith(".localhost")
        return is_loopback or name in self.hosts or literal_address(name) is not None

    def _check_site(self, found: Mapping[str, str]) -> None:
        site, origin = found.get("sec-fetch-site"), found.get("origin")
        if site is not None and site not in _OWN_SITES:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "a page of another site may change nothing here",
                [_wrong("Sec-Fetch-Site", "take same-origin, or send none")],
            )
        if origin is not None and not self._is_own(origin, found["host"]):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"a page of {origin} may change nothing here",
                [_wrong("Origin", "take the board's own address, or send none")],
            )

    def _is_own(self, origin: str, host: str) -> bool:
        """A proxy may have named another Host than the browser: then the origin is one of the configured names."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.netloc.lower() == host.lower() or (parts.hostname or "") in self.hosts


def _single(headers: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The headers of these names; raises `Problem` 400 for one that is there twice: which one counts is a guess."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in names:
            if lower in found:
                raise Problem(HTTPStatus.BAD_REQUEST, f"the header {name} is sent twice", [_wrong(name, "send one")])
            found[lower] = value
    return found


def _check_target(target: str, keys: Iterable[str]) -> None:
    if any(key.lower() in _TOKEN_KEYS for key in keys) or _TOKEN.search(unquote(target)):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "a token in an address is logged and kept in histories: send it as `Authorization: Bearer TOKEN`, and "
            "revoke one that was sent like this (`moodwire tokens revoke`)",
        )


def _name(host: str) -> str:
    """The name or address in a Host header, without port, in small letters; empty where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _wrong(header: str, detail: str) -> Mistake:
    return Mistake(part=Part.HEADER, pointer=f"/{header}", detail=detail)
