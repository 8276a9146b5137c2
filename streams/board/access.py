"""Who asks, and whether they may.

Authorization: Bearer TOKEN   a program                        ─┐
cookie                        the page, after POST /login       ├─► Caller(name, scopes) ─► has the route's scope?
header of a proxy             a person, from named networks    ─┘
nothing                       loopback without any tokens: everything; else 401
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from streams.board.attempts import Attempts
from streams.board.context import Caller, Scope
from streams.board.problem import Mistake, Part, Problem
from streams.board.tokens import StoredToken, TokenFile, token_file
from streams.errors import SettingsError
from streams.net.networks import Network, Refusal, literal_address, parse_networks, refusal
from streams.settings import Settings

__all__ = ["COOKIE", "Access", "Credentials", "access_of"]

COOKIE: Final = "moodwire"
"""The cookie that holds the token of a page."""

_LOCAL: Final = Caller("local", frozenset(Scope))
_ANYBODY: Final = Caller("anybody", frozenset())
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Credentials:
    """What of a request says who sends it: `peer` is the address of the connection, `headers` in small letters."""

    peer: str
    headers: Mapping[str, str]
    cookie: str = ""

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy says that it passes the request on."""
        return any(name in self.headers for name in _FORWARDED)


@dataclass(frozen=True, slots=True)
class Access:
    """Decides who a request is from. `proxy_header` (small letters) counts from `proxy_networks` alone."""

    tokens: TokenFile
    is_open: bool
    proxy_header: str = ""
    proxy_networks: tuple[Network, ...] = ()
    proxy_scopes: frozenset[Scope] = frozenset()
    attempts: Attempts = field(default_factory=Attempts)

    def caller(self, given: Credentials, scope: Scope | None) -> Caller:
        """Returns who asks; raises `Problem` 401 for nobody, 403 without the scope, 429 after too many wrong tokens.

        Without a scope everybody may ask.
        """
        if scope is None:
            return _ANYBODY
        found = self._found(given)
        if scope not in found.scopes:
            raise Problem(HTTPStatus.FORBIDDEN, f"{found.name} may not do this: it needs the scope {scope}")
        return found

    def _found(self, given: Credentials) -> Caller:
        bearer = _bearer(given.headers.get("authorization", ""))
        if bearer or given.cookie:
            return self.of_token(bearer or given.cookie, self.address(given), is_cookie=not bearer)
        if (user := self._of_proxy(given)) is not None:
            return user
        if self.is_open and not self.proxy_header and not self.tokens.tokens:
            return _open_to(given)
        raise _unknown("no token was sent: send one as `Authorization: Bearer TOKEN`, or sign in on the page")

    def address(self, given: Credentials) -> str:
        """Returns whose limits count: the user that a proxy names, else the address of the connection."""
        forwarded = given.headers.get(self.proxy_header) if self.is_proxy(given.peer) else None
        return forwarded or given.peer

    def of_token(self, token: str, address: str, *, is_cookie: bool = False) -> Caller:
        """Returns whose token it is; raises `Problem` 401 for none of ours, 429 after too many from this address."""
        self.attempts.check(address, token)
        stored: StoredToken | None = self.tokens.find(token)
        if stored is None:
            self.attempts.wrong(address, token, is_cookie=is_cookie)
            raise _unknown("the token is not known: it was revoked, or is another board's")
        self.attempts.right(address, token)
        return Caller(stored.name, frozenset(stored.scopes))

    def _of_proxy(self, given: Credentials) -> Caller | None:
        if not self.proxy_header or not self.is_proxy(given.peer):
            return None
        name = given.headers.get(self.proxy_header, "").strip()
        if not name:
            return None
        if len(name) > _LONGEST_NAME or not name.isprintable():
            mistake = Mistake(part=Part.HEADER, pointer=f"/{self.proxy_header}", detail="no name of a user")
            raise Problem(HTTPStatus.BAD_REQUEST, "the proxy names a user that cannot be one", [mistake])
        return Caller(name, self.proxy_scopes)

    def is_proxy(self, peer: str) -> bool:
        """Whether an address is in the networks of the proxy."""
        address = literal_address(peer)
        return address is not None and any(
            address.version == network.version and address in network for network in self.proxy_networks
        )


def _open_to(given: Credentials) -> Caller:
    """A proxy on this machine would open to everybody what is open to this machine alone."""
    if given.is_forwarded:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "a proxy passed this on to a board without tokens: make one (`moodwire tokens make`), or name the proxy's "
            "header and networks (MOODWIRE_BOARD_PROXY_HEADER, MOODWIRE_BOARD_PROXY_NETWORKS)",
        )
    return _LOCAL


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unknown(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": 'Bearer realm="moodwire"'})


def access_of(settings: Settings) -> Access:
    """Returns the access that the settings ask for.

    Raises `SettingsError` where other machines could reach the board and nothing says who may, or the tokens or the
    proxy's settings cannot be used.
    """
    tokens = token_file(settings)
    networks = tuple(parse_networks(settings.board_proxy_networks, "MOODWIRE_BOARD_PROXY_NETWORKS"))
    if bool(settings.board_proxy_header) != bool(networks):
        raise SettingsError(
            "MOODWIRE_BOARD_PROXY_HEADER and MOODWIRE_BOARD_PROXY_NETWORKS go together: set both or none"
        )
    is_open = _is_loopback(settings.board_host)
    if not is_open and not settings.board_proxy_header and not tokens.tokens:
        raise SettingsError(
            f"MOODWIRE_BOARD_HOST={settings.board_host}: other machines could read and change everything: make a token "
            f"first (`moodwire tokens make NAME`, kept in {tokens.path}), name an authenticating proxy "
            "(MOODWIRE_BOARD_PROXY_HEADER, MOODWIRE_BOARD_PROXY_NETWORKS), or take 127.0.0.1"
        )
    return Access(tokens, is_open, settings.board_proxy_header.lower(), networks, _scopes(settings.board_proxy_scopes))


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(one.strip()) for one in text.split(",") if one.strip())


def _is_loopback(host: str) -> bool:
    address = literal_address(host)
    return host == "localhost" or (address is not None and refusal(address) is Refusal.LOOPBACK)
