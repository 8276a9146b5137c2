"""`moodwire doctor` tries what it reports, leaves nothing behind, and ends in time when nothing answers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from streams.board.context import Scope
from streams.board.tokens import token_file
from streams.cli.doctor import DEADLINE_SECONDS, checks_of
from streams.cli.doctor_checks import ANSWER_SECONDS, Check, Finding, State, run_checks
from streams.cli.doctor_feeds import _Trial, feed_checks
from streams.cli.doctor_files import _stand_in
from streams.cli.doctor_http import HTTP_CHECKS
from streams.errors import SettingsError
from streams.existing import known_namespaces
from streams.feeds.feedlist import Feed
from streams.settings import Settings, load_settings
from tests.cli.test_asking_creates_nothing import called, nowhere
from tests.cli.test_commands import moodwire
from tests.integration.ports import free_port

__all__ = ["nowhere"]

FEED = b"""<rss version="2.0"><channel><title>A</title><item><title>Mill opens</title>
<pubDate>Tue, 28 Mar 2023 10:40:00 GMT</pubDate></item></channel></rss>"""
SECRET = f"whsec_{'c2VjcmV0' * 4}"


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in run_checks(checks_of(settings), settings, 60)}


@contextmanager
def black_hole() -> Iterator[int]:
    """The port of a socket that is connected to and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nothing listens on: it stays bound, so that nothing can."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def feed_server(body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/rss" else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def feeds_file(folder: Path, **ports: int) -> Path:
    file = folder / "feeds.yaml"
    entries = [{"name": name.partition("_")[0], "url": f"http://127.0.0.1:{port}/{name.partition('_')[2] or 'rss'}"}
               for name, port in ports.items()]  # fmt: skip
    file.write_text(json.dumps({"feeds": entries}))
    return file


# -- this machine


def test_a_data_folder_is_made_and_written_and_removed_again(nowhere: Path) -> None:
    line = found(load_settings(data_dir=nowhere / "a" / "b"))["data folder"]
    assert line.state is State.OK
    assert str(nowhere / "a" / "b" / "live") in line.found
    assert list(nowhere.iterdir()) == []


def test_folders_that_come_and_go_meanwhile_disturb_no_check(nowhere: Path) -> None:
    """Another command makes and removes a namespace's folder while doctor lists them."""
    folder, over = nowhere / "live", threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            folder.mkdir()
            folder.rmdir()

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(2_000):
            assert known_namespaces(load_settings(data_dir=nowhere)) == []
    finally:
        over.set()
        other.join()


def test_a_check_sees_nothing_of_what_another_tries(nowhere: Path) -> None:
    with _stand_in(nowhere / "a" / "live") as folder:
        (folder / "broker.db").touch()
        assert not (nowhere / "a").exists()
        assert known_namespaces(load_settings(data_dir=nowhere / "a")) == []
    assert list(nowhere.iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_wrong(nowhere: Path) -> None:
    (nowhere / "file").touch()
    line = found(load_settings(data_dir=nowhere / "file" / "data"))["data folder"]
    assert (line.state, line.problem.startswith("[Errno 20]")) == (State.WRONG, True)
    assert "MOODWIRE_DATA_DIR" in line.fix


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which not even root makes files")
def test_a_folder_in_which_nothing_can_be_made_is_wrong_and_stays_as_it_was(nowhere: Path) -> None:
    line = found(load_settings(data_dir=Path("/proc/moodwire")))["data folder"]
    assert line.state is State.WRONG


def test_files_that_are_wrong_are_named_one_by_one_with_the_fix(nowhere: Path) -> None:
    (nowhere / "bad.yaml").write_text("nonsense: [")
    settings = load_settings(
        watchlists=nowhere / "bad.yaml", gazetteer=nowhere / "absent.yaml", field_map=nowhere / "bad.yaml",
        feeds=nowhere / "bad.yaml", profile="nonsense", alerts_file=nowhere / "bad.yaml" / "alerts.ndjson",
    )  # fmt: skip
    lines = found(settings)
    wrong = {name for name, line in lines.items() if line.state is State.WRONG}
    assert wrong >= {"watchlists", "gazetteer", "field map", "feeds", "profile", "alerts file"}
    assert all(lines[name].fix for name in wrong)
    assert "absent.yaml" in lines["gazetteer"].problem


def test_a_port_in_use_and_a_namespace_that_nobody_filled_are_warnings(nowhere: Path) -> None:
    (nowhere / "data" / "demo").mkdir(parents=True)
    (nowhere / "data" / "demo" / "broker.db").touch()
    with black_hole() as port:
        lines = found(load_settings(data_dir=nowhere / "data", namespace="typo", http_port=port))
    assert (lines["http"].state, lines["namespace"].state) == (State.WARNING, State.WARNING)
    assert "demo exist" in lines["namespace"].warning
    assert {path.name for path in (nowhere / "data").iterdir()} == {"demo"}


def test_the_settings_of_the_board_are_tried(nowhere: Path) -> None:
    def board(settings: Settings) -> Finding:
        [line] = run_checks([check for check in HTTP_CHECKS if check.name == "board"], settings, 60)
        return line

    settings = load_settings(data_dir=nowhere, board_port=0)
    assert "127.0.0.1:any port: free, at /, open to this machine, no tokens" in board(settings).found
    assert board(settings.changed(board_port=-1)).found == "off"
    with black_hole() as port:
        assert "in use" in board(settings.changed(board_port=port)).warning
    elsewhere = settings.changed(board_host="0.0.0.0")
    assert "make a token first" in board(elsewhere).problem
    tokens = token_file(settings)
    tokens.make("desk", [Scope.READ], 1)
    line = board(elsewhere)
    assert ("tokens of desk" in line.found, "MOODWIRE_BOARD_HOSTS" in line.warning) == (True, True)
    assert board(elsewhere.changed(board_hosts="news.example")).state is State.OK
    tokens.path.chmod(0o644)
    assert "chmod 600" in board(settings).problem
    tokens.path.unlink()
    proxied = settings.changed(board_proxy_header="X-User", board_proxy_networks="0.0.0.0/0", board_base="/mood/")
    line = board(proxied)
    assert "at /mood/, open to users that 0.0.0.0/0 name in x-user (act, read)" in line.found
    assert "name the proxy's alone" in line.warning
    for wrong in ({"board_proxy_header": ""}, {"board_proxy_networks": "10.0.0.0/40"}, {"board_host": "203.0.113.9"}):
        line = board(proxied.changed(**wrong))
        assert (line.state, "MOODWIRE_BOARD_" in line.fix) == (State.WRONG, True), wrong
    assert "moodwire tokens make" in board(settings.changed(board_base="/mood/")).warning


# -- servers


def test_each_feed_is_fetched_once_and_read(nowhere: Path) -> None:
    with feed_server(FEED) as good, feed_server(b"<html>a portal</html>") as page, closed_port() as closed:
        file = feeds_file(nowhere, good=good, missing_elsewhere=good, page=page, closed=closed)
        lines = found(load_settings(feeds=file))
    assert lines["feed good"].found == "1 entries, the newest of 2023-03-28 10:40 UTC"
    assert lines["feeds"].found.startswith("4 in ")
    assert "HTTP 404" in lines["feed missing"].problem
    assert lines["feed page"].state is not State.OK
    assert lines["feed closed"].state is State.WRONG


def test_a_webhook_is_connected_to_and_never_posted_to(nowhere: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/hook/s3cret"
        line = found(load_settings(webhook_url=address, webhook_secret=SECRET))["webhook"]
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b""
    assert line.state is State.OK
    assert "s3cret" not in line.found
    unsigned = found(load_settings(webhook_url=address))["webhook"]
    assert unsigned.state is State.WRONG  # nothing listens any more
    assert "s3cret" not in unsigned.problem


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"webhook_url": "http://127.0.0.1:9/x", "webhook_secret": "whsec_c2VjcmV0"}, "24 to 64"),
        ({"webhook_url": "ftp://127.0.0.1/x"}, "https://host/path"),
        ({"webhook_url": "http://no-such-host.invalid/x", "webhook_secret": SECRET}, "no connection"),
    ],
)
def test_a_webhook_that_cannot_work_is_wrong_for_its_reason(settings: dict[str, str], words: str) -> None:
    line = found(load_settings(**settings))["webhook"]
    assert line.state is State.WRONG
    assert words in line.problem
    assert "c2VjcmV0" not in line.problem


@pytest.mark.parametrize("dead", [black_hole, closed_port])
def test_doctor_ends_in_time_when_nothing_answers(tmp_path: Path, dead: Any) -> None:
    with ExitStack() as stack:
        kafka, elastic, feed, hook, dog, traces = (stack.enter_context(dead()) for _ in range(6))
        variables = {
            "MOODWIRE_BROKER_URL": f"kafka://127.0.0.1:{kafka}",
            "MOODWIRE_ARCHIVE_URL": f"http://127.0.0.1:{elastic}",
            "MOODWIRE_FEEDS": str(feeds_file(tmp_path, f0=feed)),
            "MOODWIRE_WEBHOOK_URL": f"https://127.0.0.1:{hook}/x",
            "MOODWIRE_WATCHDOG_URL": f"https://127.0.0.1:{dog}/x",
            "MOODWIRE_OTEL_ENDPOINT": f"https://127.0.0.1:{traces}",
        }
        begun = time.monotonic()
        moodwire(tmp_path, "model", "list")
        loaded = time.monotonic() - begun  # of a program that does as much before it asks anybody
        begun = time.monotonic()
        done = moodwire(tmp_path, "doctor", "--json", **variables)
        took = time.monotonic() - begun
    lines = {line["check"]: line for line in json.loads(done.stdout)["findings"]}
    wrong = {name for name, line in lines.items() if line["state"] == "wrong"}
    assert done.returncode == 1
    assert wrong >= {"broker", "archive", "feed f0", "webhook", "watchdog", "traces", "kafka", "kafka clock"}
    assert took < max(10.0, DEADLINE_SECONDS + 3 * loaded)


def test_a_healthy_feed_is_found_well_beside_dead_ones_with_one_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    begin = asyncio.create_subprocess_exec

    async def counted(*words: Any, **options: Any) -> Any:
        started.append(words)
        return await begin(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    with feed_server(FEED) as good, feed_server(FEED) as also, ExitStack() as stack:
        dead = {f"dead{n}": stack.enter_context(black_hole()) for n in range(40)}
        file = feeds_file(tmp_path, **dead, good=good, also=also)
        lines = found(Settings(data_dir=tmp_path, feeds=file))
    assert [lines[f"feed {name}"].state for name in ("good", "also")] == [State.OK, State.OK]
    assert {lines[f"feed {name}"].problem for name in dead} == {f"no answer within {ANSWER_SECONDS:g} s"}
    assert len(started) == 1


def test_what_was_never_asked_is_a_warning_and_what_did_not_answer_is_wrong(tmp_path: Path) -> None:
    trial = _Trial([Feed("http://127.0.0.1/a", name) for name in ("not asked", "asked", "unread")])
    trial._asked |= {"asked": time.monotonic() - 3, "unread": time.monotonic() - 1}
    trial._answered.add("unread")
    never, asked, unread = (trial.late(feed)() for feed in trial.feeds)
    assert (never.state, never.warning) == (State.WARNING, "not tried in time")
    assert never.fix == "`moodwire doctor --feed 'not asked'` tries it alone"
    assert (asked.state, asked.problem) == (State.WRONG, "asked 3.0 s ago, no answer yet")
    assert (unread.state, unread.problem) == (State.WRONG, "it answered, and was not read in time")


def test_feeds_can_be_tried_alone(nowhere: Path) -> None:
    with feed_server(FEED) as good, closed_port() as closed:
        settings = load_settings(feeds=feeds_file(nowhere, good=good, closed=closed))
        (check,) = feed_checks(settings, ["good"])
        assert check.finding(settings).state is State.OK
    with pytest.raises(SettingsError, match="no usable feed is called 'god'"):
        feed_checks(settings, ["god"])


def test_each_mistake_in_the_list_of_feeds_is_a_finding_and_the_others_are_tried(nowhere: Path) -> None:
    entries = [{"url": f"http://127.0.0.1:{port}/rss", "name": f"f{port}"} for port in (1, 99999, 0)]
    (nowhere / "feeds.yaml").write_text(json.dumps({"feeds": entries}))
    checks = feed_checks(load_settings(feeds=nowhere / "feeds.yaml"))
    assert [check.name for check in checks] == ["feeds", "feeds", "feed f1"]
    findings = [check.finding(Settings()) for check in checks[:2]]
    assert ["entry 2" in findings[0].problem, "entry 3" in findings[1].problem] == [True, True]


def test_every_wrong_setting_is_a_finding_beside_the_other_checks(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOODWIRE_PARTITIONS", "many")
    monkeypatch.setenv("MOODWIRE_HTTP_PORT", "-3")
    monkeypatch.setenv("MOODWIRE_BROKER_URL", "foo://u:secret@host")
    monkeypatch.setenv("MOODWIRE_NAMESPACES", "x")
    monkeypatch.setenv("MOODWIRE_WATCHDOG_URL", "https://127.0.0.1:99999/x")
    code, said = called("doctor")
    assert code == 1
    wrong = [line for line in said.splitlines() if line.startswith("wrong")]
    assert len([line for line in wrong if "settings: " in line]) >= 2
    for words in ("MOODWIRE_PARTITIONS='many'", "MOODWIRE_HTTP_PORT='-3'", "MOODWIRE_NAMESPACES", "watchdog"):
        assert len([line for line in wrong if words in line]) == 1, words
    assert "ok      data folder" in said
    monkeypatch.delenv("MOODWIRE_PARTITIONS")
    monkeypatch.delenv("MOODWIRE_HTTP_PORT")
    _, said = called("doctor")
    (broker,) = [line for line in said.splitlines() if line.startswith("wrong") and "foo://" in line]
    assert "neither sqlite:///absolute/path/broker.db nor kafka://host:port" in broker
    assert "secret" not in broker


def test_one_cause_is_one_finding_with_its_own_fix(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classifier, the models and the processor are looked up in the profile too."""
    monkeypatch.setenv("MOODWIRE_PROFILE", str(nowhere / "nonsense"))
    _, said = called("doctor")
    wrong = [line for line in said.splitlines() if line.startswith("wrong")]
    (line,) = [line for line in wrong if "nonsense" in line]
    assert line.startswith("wrong   profile: there is no profile")
    assert "fix: MOODWIRE_PROFILE is a shipped name or a folder with profile.yaml" in said


def test_what_a_setting_is_for_is_shown_as_it_is_written(nowhere: Path) -> None:
    """In square brackets too."""
    _, said = called("doctor")
    assert "moodwire[otel]" in "".join(said.split())


# -- checks side by side


def test_a_check_that_hangs_costs_no_other() -> None:
    over = threading.Event()

    def refuses(_: Settings) -> str:
        raise SettingsError("it is wrong")

    checks = [
        Check("hangs", lambda _: str(over.wait(60)), "wait"),
        Check("well", lambda _: "fine"),
        Check("odd", lambda _: "fine; warning: but slow", "hurry"),
        Check("refuses", refuses, "set it right"),
        Check("breaks", lambda _: str(1 // 0)),
    ]
    hangs, well, odd, refused, breaks = run_checks(checks, Settings(), 2)
    over.set()
    assert (hangs.state, hangs.problem, hangs.fix) == (State.WRONG, "no answer within 2 s", "wait")
    assert (well.state, well.found) == (State.OK, "fine")
    assert (odd.state, odd.found, odd.warning, odd.fix) == (State.WARNING, "fine", "but slow", "hurry")
    assert (refused.state, refused.problem, refused.fix) == (State.WRONG, "it is wrong", "set it right")
    assert "ZeroDivisionError" in breaks.problem


def test_warnings_alone_end_with_0_and_what_is_wrong_has_its_fix(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = called("doctor", "-n", "typo")
    assert code == 0
    assert "ok      data folder" in said
    monkeypatch.setenv("MOODWIRE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("MOODWIRE_GAZETTEER", "absent.csv")
    code, said = called("doctor")
    assert code == 1
    assert "warning webhook: none (MOODWIRE_WEBHOOK_URL); MOODWIRE_WEBHOOK_SECRET is set and no address" in said
    assert "wrong   gazetteer" in said
    assert "fix: correct the file, or unset MOODWIRE_GAZETTEER" in said
