"""Who may do what: tokens, the page's cookie, a proxy's header, and nobody."""

from __future__ import annotations

import re
import stat
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.board.access import Credentials, access_of
from streams.board.attempts import Attempts
from streams.board.context import Scope
from streams.board.problem import Problem
from streams.board.rate import MOST_ADDRESSES
from streams.board.tokens import TokenFile, token_file
from streams.cli import app
from streams.errors import MoodwireError, SettingsError
from streams.settings import Settings, load_settings
from tests.board.board_server import serving, settings_in


def made(settings: Settings, *scopes: Scope) -> str:
    return token_file(settings).make("desk", scopes, 1)[1]


async def test_with_a_token_nobody_without_one_is_let_in(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with serving(settings) as board:
        async with board.client.get("v1/status") as answer:
            assert answer.status == 200
        token = made(settings, Scope.READ)
        async with board.client.get("v1/status") as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="moodwire"')
        async with board.client.get("v1/status", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert (await answer.json())["scopes"] == ["read"]
        token_file(settings).revoke("desk")
        async with board.client.get("v1/status", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 401


async def test_the_page_exchanges_a_token_for_a_cookie(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    token = made(settings, Scope.READ)
    async with serving(settings) as board:
        async with board.client.post("login", json={"token": "wrong"}) as answer:
            assert answer.status == 401
        async with board.client.post("login", json={"token": token}) as answer:
            assert answer.status == 204
            cookie = answer.cookies["moodwire"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert not cookie["secure"]
        with_cookie = {"Cookie": f"moodwire={token}"}
        async with board.client.get("v1/status", headers=with_cookie) as answer:
            assert answer.status == 200
        async with board.client.post("logout", headers=with_cookie) as answer:
            assert answer.cookies["moodwire"]["max-age"] == "0"


async def test_behind_tls_the_cookie_is_secure(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, board_hosts="news.example", board_base="/mood/")
    token = made(settings, Scope.READ)
    headers = {"Origin": "https://news.example", "Host": "news.example"}
    async with serving(settings) as board, board.client.post("login", json={"token": token}, headers=headers) as answer:
        assert (answer.cookies["moodwire"]["secure"], answer.cookies["moodwire"]["path"]) == (True, "/mood/")


def test_scopes_are_a_set_and_not_an_order(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    access = access_of(settings)
    given = Credentials("127.0.0.1", {"authorization": f"Bearer {made(settings, Scope.ADMIN)}"})
    assert access.caller(given, Scope.ADMIN).name == "desk"
    with pytest.raises(Problem) as refused:
        access.caller(given, Scope.READ)
    assert refused.value.status == 403


@pytest.mark.parametrize(("peer", "name"), [("10.1.2.3", "ada"), ("10.1.3.3", None), ("127.0.0.1", None)])
def test_the_header_of_a_proxy_counts_from_its_networks_alone(tmp_path: Path, peer: str, name: str | None) -> None:
    settings = settings_in(tmp_path, board_proxy_header="X-Forwarded-User", board_proxy_networks="10.1.2.0/24")
    access, given = access_of(settings), Credentials(peer, {"x-forwarded-user": "ada"})
    if name is None:
        with pytest.raises(Problem, match="no token"):
            access.caller(given, Scope.READ)
        return
    caller = access.caller(given, Scope.ACT)
    assert (caller.name, sorted(caller.scopes)) == (name, [Scope.ACT, Scope.READ])


def test_a_proxy_opens_no_board_without_tokens(tmp_path: Path) -> None:
    access = access_of(settings_in(tmp_path))
    with pytest.raises(Problem, match="moodwire tokens make"):
        access.caller(Credentials("127.0.0.1", {"x-forwarded-for": "1.2.3.4"}), Scope.READ)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "news.example"])
def test_without_tokens_only_loopback_is_listened_on(tmp_path: Path, host: str) -> None:
    settings = settings_in(tmp_path, board_host=host)
    with pytest.raises(SettingsError, match="moodwire tokens make"):
        access_of(settings)
    made(settings, Scope.READ)
    access_of(settings)


def test_header_and_networks_of_a_proxy_go_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="go together"):
        access_of(settings_in(tmp_path, board_proxy_header="X-Forwarded-User"))


def test_tokens_are_hashed_in_a_private_file(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "deep" / "tokens.json")
    stored, token = tokens.make("desk", [Scope.READ, Scope.ACT, Scope.READ], 5)
    assert token.startswith("mwt_")
    assert len(token) == 47
    assert stored.scopes == (Scope.ACT, Scope.READ)
    assert token not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert tokens.find(token) == stored
    assert tokens.find(token[:-1]) is None
    assert tokens.revoke(stored.id) == [stored]
    assert tokens.find(token) is None
    with pytest.raises(MoodwireError, match="tokens list"):
        tokens.revoke("desk")


def test_a_token_is_printed_once_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    tokens = partial(CliRunner().invoke, app)
    [token] = re.findall(r"mwt_\S+", tokens(["tokens", "make", "desk", "--scope", "read"]).output)
    listed = tokens(["tokens", "list"]).output
    assert ("desk" in listed, "read" in listed, token in listed) == (True, True, False)
    file = token_file(load_settings())
    assert file.find(token) is not None
    assert tokens(["tokens", "revoke", "desk"]).exit_code == 0
    assert file.find(token) is None


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    tokens.make("desk", [Scope.READ], 5)
    tokens.path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        TokenFile(tokens.path).find("x")
    tokens.path.write_text("{")
    tokens.path.chmod(0o600)
    with pytest.raises(SettingsError, match="cannot be read"):
        TokenFile(tokens.path).find("x")


async def test_wrong_tokens_are_limited_and_lock_out_nobody_who_is_in(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    token, other = made(settings, Scope.READ), made(settings, Scope.READ)
    async with serving(settings) as board:
        asked = partial(board.client.get, "v1/status")
        async with asked(headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
        for _ in range(20):  # a browser sends the cookie of a revoked token by itself: it counts once
            async with asked(headers={"Cookie": "moodwire=revoked"}) as answer:
                assert answer.status == 401
        for number in range(9):
            async with board.client.post("login", json={"token": "wrong"}) as answer:
                assert answer.status == 401, number
        for sent in ("wrong", other):
            async with board.client.post("login", json={"token": sent}) as answer:
                assert (answer.status, answer.content_type) == (429, "application/problem+json")
                assert 1 <= int(answer.headers["Retry-After"]) <= 10
        for header, status in (
            ({"Authorization": f"Bearer {other}"}, 429),
            ({"Authorization": f"Bearer {token}"}, 200),
            ({"Cookie": "moodwire=revoked"}, 401),
            ({}, 401),
        ):
            async with asked(headers=header) as answer:
                assert answer.status == status, header


def test_attempts_fill_up_again_are_an_addresss_own_and_take_bounded_memory() -> None:
    now = 0.0
    attempts = Attempts(lambda: now)

    def tries(address: str) -> int:
        """How many wrong tokens the address may try now."""
        for number in range(100):
            try:
                attempts.check(address, "wrong")
            except Problem:
                return number
            attempts.wrong(address, "wrong", is_cookie=False)
        return 100

    assert [tries("10.0.0.1"), tries("10.0.0.1"), tries("10.0.0.2")] == [10, 0, 10]
    now = 10.0
    assert tries("10.0.0.1") == 1
    for number in range(3 * MOST_ADDRESSES):
        attempts.wrong(f"10.1.{number >> 8}.{number & 255}", "cookie", is_cookie=True)
    assert (len(attempts._known), len(attempts._wrong._left)) == (2 * MOST_ADDRESSES, MOST_ADDRESSES)
