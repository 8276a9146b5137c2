"""Which addresses are refused, in every spelling."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.net.networks import Refusal, literal_address, parse_networks, refusal
from streams.net.options import checked_proxy


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0", Refusal.UNSPECIFIED),
        ("0.1.2.3", Refusal.UNSPECIFIED),
        ("::", Refusal.UNSPECIFIED),
        ("127.0.0.1", Refusal.LOOPBACK),
        ("127.255.0.9", Refusal.LOOPBACK),
        ("::1", Refusal.LOOPBACK),
        ("10.1.2.3", Refusal.PRIVATE),
        ("172.31.255.255", Refusal.PRIVATE),
        ("192.168.0.1", Refusal.PRIVATE),
        ("fd00::1", Refusal.PRIVATE),
        ("fec0::1", Refusal.PRIVATE),
        ("100.64.0.1", Refusal.SHARED),
        ("169.254.169.254", Refusal.LINK_LOCAL),
        ("fe80::1", Refusal.LINK_LOCAL),
        ("fe80::1%eth0", Refusal.LINK_LOCAL),
        ("224.0.1.1", Refusal.MULTICAST),
        ("ff02::1", Refusal.MULTICAST),
        ("255.255.255.255", Refusal.RESERVED),
        ("198.51.100.7", Refusal.RESERVED),
        ("2001:db8::1", Refusal.RESERVED),
        ("::10.0.0.1", Refusal.RESERVED),
        ("::ffff:127.0.0.1", Refusal.LOOPBACK),
        ("::ffff:0:10.0.0.1", Refusal.PRIVATE),
        ("64:ff9b::169.254.169.254", Refusal.LINK_LOCAL),
        ("64:ff9b:1::a00:1", Refusal.TUNNEL),
        ("2002:7f00:1::", Refusal.TUNNEL),
        ("2001:0:53aa::1", Refusal.TUNNEL),
        ("8.8.8.8", None),
        ("172.32.0.1", None),
        ("2606:4700::1111", None),
        ("2a00:1450:4001::1", None),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::8.8.8.8", None),
    ],
)
def test_refused_networks(text: str, why: Refusal | None) -> None:
    assert refusal(ipaddress.ip_address(text)) is why


def test_allowed_networks_are_not_refused() -> None:
    allowed = parse_networks("10.0.0.0/8, fd00::/8", "X")
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1"):
        assert refusal(ipaddress.ip_address(text), allowed) is None
    assert refusal(ipaddress.ip_address("192.168.0.1"), allowed) is Refusal.PRIVATE


@given(st.ip_addresses())
def test_what_python_calls_private_is_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert refusal(address) is not None
    if isinstance(address, ipaddress.IPv4Address) and address.is_private:
        assert refusal(address) is not None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("news.example", None),
        ("", None),
    ],
)
def test_literal_addresses(host: str, address: str | None) -> None:
    assert literal_address(host) == (None if address is None else ipaddress.ip_address(address))


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "intranet", "::/200"])
def test_a_wrong_network_names_the_setting(text: str) -> None:
    with pytest.raises(SettingsError, match="MOODWIRE_ALLOWED_NETWORKS"):
        parse_networks(text, "MOODWIRE_ALLOWED_NETWORKS")


@pytest.mark.parametrize("url", ["proxy:3128", "socks5://proxy", "http://", "http://[::1", "http://u:hunter2@h:99999"])
def test_a_wrong_proxy_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="MOODWIRE_PROXY") as caught:
        checked_proxy(url)
    assert "hunter2" not in str(caught.value)
