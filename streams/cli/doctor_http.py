"""What `moodwire doctor` tries of the addresses that `run` listens on: status and metrics, and the board."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from streams.cli.doctor_checks import WARNING, Check
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.board.access import Access

__all__ = ["HTTP_CHECKS"]

_HTTP_PORT: Final = 8710
_WIDE: Final = 8  # a prefix shorter than this is more than any network of proxies


def _http(settings: Settings) -> str:
    if settings.http_port == 0:
        return "off"
    return _tried(settings.http_host, settings.http_port or _HTTP_PORT)


def _board(settings: Settings) -> str:
    if settings.board_port == -1:
        return "off"
    from streams.board.access import access_of  # 0.8 s, beside the other checks
    from streams.board.server import DEFAULT_PORT

    access = access_of(settings)
    port = DEFAULT_PORT if settings.board_port is None else settings.board_port
    where, *warnings = _tried(settings.board_host, port).split(WARNING)
    warnings += _weak(settings, access)
    parts = [f"{where}, at {settings.board_base}", _who(access)]
    return f"{', '.join(parts)}{WARNING if warnings else ''}{'; '.join(warnings)}"


def _who(access: Access) -> str:
    """Who may ask; the file of tokens is read for it."""
    tokens = access.tokens.tokens
    ways = [f"tokens of {', '.join(sorted({one.name for one in tokens}))} in {access.tokens.path}"] if tokens else []
    if access.proxy_header:
        networks = ", ".join(map(str, access.proxy_networks))
        ways.append(f"users that {networks} name in {access.proxy_header} ({', '.join(sorted(access.proxy_scopes))})")
    return "open to " + (" and ".join(ways) or "this machine, no tokens")


def _weak(settings: Settings, access: Access) -> list[str]:
    """What works and is hardly meant."""
    found = [
        f"MOODWIRE_BOARD_PROXY_NETWORKS={network}: whoever is in it is who he says he is; name the proxy's alone"
        for network in access.proxy_networks
        if network.prefixlen < _WIDE
    ]
    if not access.is_open and not settings.board_hosts:
        found.append("browsers reach it by address alone: set MOODWIRE_BOARD_HOSTS to its names")
    if access.is_open and settings.board_base != "/" and not access.proxy_header and not access.tokens.tokens:
        found.append("a proxy passes nothing on to a board without tokens: `moodwire tokens make` makes one")
    return found


def _tried(host: str, port: int) -> str:
    """That the address can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return f"{host}:{port}{WARNING}in use: moodwire runs already, or another program listens there"
    return f"{host}:{port or 'any port'}: free"


HTTP_CHECKS = (
    Check(
        "http", _http, "set MOODWIRE_HTTP_HOST and MOODWIRE_HTTP_PORT to an address of this machine, or the port to 0"
    ),
    Check(
        "board",
        _board,
        "correct the settings that start with MOODWIRE_BOARD_, or set MOODWIRE_BOARD_PORT=-1 for no board",
    ),
)
