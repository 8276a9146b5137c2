"""One chain for all loggers: JSON lines a machine can read, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import ConfigError
from models.errors import ArtifactError
from streams.engine.runs import Run
from streams.errors import TransportError
from streams.logs import get_logger
from streams.net.client import open_client
from streams.observe.logs import Repeats, mask, secrets_of, set_up_logs
from streams.transport.faust_app import make_app, run_stage
from streams.transport.stages import run_stages
from tests.feeds.feed_server import Answer, running_feed_server

WEBHOOK = "https://user:p4ssw0rd@hooks.example/services/T000/B000/XXXXyyyy?key=abcdef"
ENVIRONMENT = {
    "MOODWIRE_LOG_LEVEL": "INFO",
    "MOODWIRE_LOG_FORMAT": "json",
    "MOODWIRE_WEBHOOK_URL": WEBHOOK,
    "MOODWIRE_WEBHOOK_SECRET": 'whsec_c2Vj"cmV0\\',
    "MOODWIRE_BROKER_URL": "kafka://alice:kafkapass@broker:9092",
    "MOODWIRE_WATCHDOG_URL": "https://hc.example/ping/7f3e",
}
TELLING = ("p4ssw0rd", "XXXXyyyy", "abcdef", "c2Vj", "kafkapass", "7f3e")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_the_standard_library_write_the_same_lines() -> None:
    out = io.StringIO()
    set_up_logs(out, ENVIRONMENT)
    get_logger("streams.observe.stage").info("Run done", stage="score", records=500)
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed: %s", "local member_id was not recognized")
    logging.getLogger("faust").info("a service of many starts")
    ours, theirs = lines(out)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "message": "Run done", "stage": "score", "records": 500, "level": "info", "logger": "streams.observe.stage",
    }  # fmt: skip
    assert theirs["message"] == "Heartbeat failed: local member_id was not recognized"
    assert (theirs["level"], theirs["logger"]) == ("warning", "aiokafka.consumer")


def test_an_exception_is_one_line() -> None:
    out = io.StringIO()
    set_up_logs(out, ENVIRONMENT)
    try:
        raise ValueError("news\nof two lines")
    except ValueError:
        get_logger("streams.x").exception("broke")
        logging.getLogger("mode").exception("broke too")
    for line in lines(out):
        assert "ValueError: news\nof two lines" in line["exception"]


class _Stage:
    """It is never reached."""

    async def handle(self, run: Run) -> None: ...

    async def idle(self, partition: int, now_ms: int) -> None: ...

    def forget(self, partition: int) -> None: ...


@pytest.mark.parametrize("form", ["json", "text"])
async def test_a_start_that_fails_is_logged_in_a_line_each(form: str, tmp_path: Path) -> None:
    """Faust logs why a service of its own crashed, with a traceback: the text of our error says more."""
    out = io.StringIO()
    set_up_logs(out, {"MOODWIRE_LOG_FORMAT": form})
    app = make_app("score", broker_url=f"sqlite://{tmp_path}/broker.db", group="t.score", data_dir=tmp_path)
    with pytest.raises(TransportError, match=r"no topic 't\.news'"):
        await run_stages([run_stage(app, "t.news", _Stage())])
    written = out.getvalue().splitlines()
    assert 1 <= len(written) <= 3
    assert all("no topic 't.news'" in line for line in written)


@pytest.mark.parametrize(
    ("error", "is_shown"),
    [
        (TransportError("no topic"), False),
        (ArtifactError("no model"), False),
        (ConfigError("hop", "no", "x"), False),
        (KeyError("topic"), True),
    ],
)
def test_an_error_of_ours_needs_no_traceback_whoever_logs_it(error: Exception, is_shown: bool) -> None:
    out = io.StringIO()
    set_up_logs(out, ENVIRONMENT)
    try:
        raise error
    except Exception as caught:
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=caught)
        logging.getLogger("mode").exception("Crashed")
        get_logger("streams.x").exception("Crashed")
        get_logger("streams.x").error("Crashed", error=caught, exc_info=True)
    for line in lines(out):
        assert ("Traceback" in line.get("exception", "")) is is_shown, line
        assert (line.get("error") == str(error)) or is_shown


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_ever_written(form: str) -> None:
    out = io.StringIO()
    set_up_logs(out, ENVIRONMENT | {"MOODWIRE_LOG_FORMAT": form})
    log = get_logger("streams.x")
    for value in ENVIRONMENT.values():
        log.warning("connecting", to=f"at {value} now", url=value, nested={"deep": [value]})
        logging.getLogger("httpx").warning('HTTP Request: POST %s "HTTP/1.1 200 OK"', value)
        try:
            raise RuntimeError(f"cannot reach {value}")
        except RuntimeError:
            log.exception("failed")
        logging.getLogger("elastic_transport").warning("retrying %s", value)
    logging.getLogger("aiohttp").error("path /services/T000/B000/XXXXyyyy was not found")
    text = out.getvalue()
    assert "hooks.example" not in text
    assert [secret for secret in TELLING if secret in text] == []
    assert "broker:9092" in text


def test_a_library_that_repeats_itself_is_cut_short_and_counted() -> None:
    seconds = 0.0
    repeats = Repeats(lambda: seconds)

    def said(name: str, *, node: int) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "x.py", 1, "Unable connect to node %s", (node,), None)
        return record.getMessage() if repeats.filter(record) else None

    assert [said("aiokafka", node=n) is not None for n in range(100)] == [True] * 3 + [False] * 97
    assert said("kafka.net", node=1) == "Unable connect to node 1"
    assert all(said("streams.transport.stages", node=n) for n in range(100))
    seconds = 31.0
    assert said("aiokafka", node=7) == "Unable connect to node 7 (97 more like it were left out)"
    assert said("aiokafka", node=8) == "Unable connect to node 8"


def test_lines_for_people_are_plain_where_nobody_sees_colours() -> None:
    out = io.StringIO()
    set_up_logs(out, {})
    get_logger("streams.x").warning("Feed poll failed", feed="wire")
    get_logger("streams.x").info("not at this level")
    assert "\x1b" not in out.getvalue()
    assert "Feed poll failed" in out.getvalue()
    assert len(out.getvalue().splitlines()) == 1


def test_a_foreign_address_loses_its_password() -> None:
    assert mask(())("at amqp://bob:secret@host/x now") == "at amqp://***@host/x now"


def test_a_short_value_masks_nothing_else() -> None:
    assert secrets_of({"MOODWIRE_WEBHOOK_SECRET": "abc"}) == set()


@given(st.text(min_size=4), st.text(), st.text())
def test_a_masked_text_holds_no_secret(secret: str, before: str, after: str) -> None:
    masked = mask([secret])(f"{before}{secret}{after}")
    assert secret not in masked or secret in "***@***"


@pytest.mark.parametrize("name", ["MOODWIRE_WEBHOOK_URL", "MOODWIRE_ARCHIVE_URL"])
def test_a_malformed_address_does_not_stop_the_logs(name: str) -> None:
    set_up_logs(io.StringIO(), {name: "http://[::1/XXXXyyyy"})


async def test_a_program_with_a_handler_of_its_own_sees_no_key(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    async with running_feed_server() as server:
        server.answers["/XXXXyyyy/rss?key=XXXXyyyy"] = Answer("302 Found", headers={"Location": "/new?key=XXXXyyyy"})
        url = server.url("/XXXXyyyy/rss?key=XXXXyyyy")
        async with open_client([url]) as client:
            assert (await client.get(url)).status_code == 302
    assert f"GET http://127.0.0.1:{server.port}/***" in caplog.text
    assert "receive_response_headers.complete" in caplog.text
    assert "XXXXyyyy" not in caplog.text


async def test_addresses_of_feeds_keep_their_keys_at_every_level() -> None:
    out = io.StringIO()
    set_up_logs(out, {"MOODWIRE_LOG_LEVEL": "DEBUG"})
    async with running_feed_server() as server:
        server.answers["/XXXXyyyy/rss?key=XXXXyyyy"] = Answer(
            "302 Found", headers={"Location": "/new?key=XXXXyyyy", "Set-Cookie": "id=XXXXyyyy"}
        )
        url = server.url("/XXXXyyyy/rss?key=XXXXyyyy")
        async with open_client([url]) as client:
            assert (await client.get(url)).status_code == 302
            logging.getLogger("httpx").warning("no answer from %s", url)
    written = out.getvalue()
    assert f"GET http://127.0.0.1:{server.port}/***" in written
    assert "receive_response_headers.complete" in written
    assert "XXXXyyyy" not in written
