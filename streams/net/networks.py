"""Which addresses may be reached on behalf of a stranger: pure decisions over IP addresses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from streams.errors import SettingsError

__all__ = ["Network", "Refusal", "literal_address", "parse_networks", "refusal"]

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Refusal(Enum):
    """Why an address is refused."""

    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared by a provider's customers"
    LINK_LOCAL = "link-local"
    MULTICAST = "multicast"
    RESERVED = "reserved"
    TUNNEL = "a tunnel's"


# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. The table is ours because
# `ipaddress.is_global` answers differently in Python 3.11.2, 3.11.10 and 3.13.
_TABLE = {
    Refusal.UNSPECIFIED: ("0.0.0.0/8", "::/128"),
    Refusal.LOOPBACK: ("127.0.0.0/8", "::1/128"),
    Refusal.PRIVATE: ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    Refusal.SHARED: ("100.64.0.0/10",),
    Refusal.LINK_LOCAL: ("169.254.0.0/16", "fe80::/10"),
    Refusal.MULTICAST: ("224.0.0.0/4", "ff00::/8"),
    Refusal.TUNNEL: ("192.88.99.0/24", "2001::/32", "2002::/16", "64:ff9b:1::/48"),  # 6to4, Teredo, local NAT64
    Refusal.RESERVED: (
        "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
        "::/96", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
    ),
}  # fmt: skip
_REFUSED = tuple((ipaddress.ip_network(text), why) for why, texts in _TABLE.items() for text in texts)
# An IPv4 address inside an IPv6 one is judged as itself: mapped addresses, and NAT64 with its well-known prefix.
_CARRIERS = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("::ffff:0:0:0/96"),
             ipaddress.IPv6Network("64:ff9b::/96"))  # fmt: skip


def refusal(address: Address, allowed: Iterable[Network] = ()) -> Refusal | None:
    """Why `address` must not be reached, or None. Addresses in `allowed` may be."""
    carried = _carried(address)
    if any(_within(one, network) for network in allowed for one in (address, carried)):
        return None
    return next((why for network, why in _REFUSED if _within(carried, network)), None)


def _carried(address: Address) -> Address:
    if isinstance(address, IPv6Address) and any(address in network for network in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def literal_address(host: str) -> Address | None:
    """The address that `host` spells, also as ``127.1``, ``0x7f000001`` or ``2130706433``; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def parse_networks(text: str, setting: str) -> Sequence[Network]:
    """Networks separated by commas, such as ``10.0.0.0/8,fd00::/8``; raises `SettingsError` naming `setting`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise SettingsError(f"{setting}: {error}; write networks such as 10.0.0.0/8,fd00::/8") from None
    return tuple(found)
