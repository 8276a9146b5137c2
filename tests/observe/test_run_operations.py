"""`moodwire run` as an operator has it: a process with an HTTP port, logs to collect, and an end in time."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from streams.engine.ports import Send
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.integration.ports import free_port
from tests.integration.replays import command, environment

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "MOODWIRE_WEBHOOK_URL": "http://127.0.0.1:9/services/s3cr3tpath",
    "MOODWIRE_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "MOODWIRE_WATCHDOG_URL": "http://127.0.0.1:9/ping/s3cr3tpath",
    "MOODWIRE_WATCHDOG_SECONDS": "1",
}


@contextmanager
def running(folder: Path, port: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("run"),
        env=environment(folder) | {"MOODWIRE_HTTP_PORT": str(port), "PYTHONUNBUFFERED": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_ready(port: int, at_most_seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + at_most_seconds
    body: dict[str, Any] = {}
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/ready")
            body = answer.json()
            if answer.status_code == 200:
                return body
        except httpx.HTTPError:
            pass
        time.sleep(0.1)  # another process: there is no event to wait for
    raise AssertionError(f"not ready in time: {body}")


def _counted(port: int) -> set[str]:
    """The series that are not zero."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.endswith(" 0.0")}


def end(process: subprocess.Popen[str]) -> tuple[str, str, float]:
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    return out, errors, time.monotonic() - begun


def publish(settings: Settings, count: int, first: int = 0) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        raws = [
            {"id": str(n), "title": f"Maker number {n} reports", "source": "wire", "language": "en"}
            for n in range(first, first + count)
        ]
        broker.append([Send(settings.topics.news, None, msgspec.json.encode(raw)) for raw in raws])


def lag(settings: Settings) -> int:
    with open_broker(settings.broker) as broker:
        return broker.lag(settings.topics.group("score"), settings.topics.news)


@pytest.mark.slow
def test_run_serves_counts_logs_and_ends(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings(data_dir=tmp_path)
    publish(settings, 300)
    with running(tmp_path, port, MOODWIRE_LOG_FORMAT="json", MOODWIRE_LOG_LEVEL="INFO", **SECRETS) as process:
        assert set(wait_until_ready(port)["stages"]) == {"score", "watch", "deliver"}
        while lag(settings):
            time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/health").json() == {"healthy": True, "crashed": {}}
        while 'moodwire_watchdog_pings_total{result="failed"}' not in _counted(port):
            time.sleep(0.1)
        figures = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
        out, errors, seconds = end(process)
    assert process.returncode == 0, errors
    assert seconds < 10, seconds
    assert 'moodwire_records_total{stage="score"} 300.0' in figures
    assert 'moodwire_archived_items_total{outcome="added"} 300.0' in figures
    assert "moodwire_archive_latency_seconds_count 300.0" in figures
    lines = [json.loads(line) for line in errors.splitlines()]
    runs = [line for line in lines if line["message"] == "Run done"]
    assert sum(line["records"] for line in runs if line["stage"] == "score") == 300
    assert any(line["message"] == "Watchdog ping failed" for line in lines)
    assert not any(secret in out + errors for secret in ("s3cr3tpath", "c2VjcmV0"))


@pytest.mark.slow
def test_a_port_that_is_taken_is_an_error_when_asked_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(tmp_path, port) as process:
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"MOODWIRE_HTTP_PORT={port}" in errors
    assert "Traceback" not in errors


@contextmanager
def slow_worker(folder: Path, seconds_a_write: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.observe.slow_worker_program", str(folder), str(seconds_a_write)],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_run_that_is_nearly_done_is_finished_and_committed_at_sigterm(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    publish(settings, 10)
    with slow_worker(tmp_path, 2.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        out, errors, seconds = end(process)
    assert process.returncode == 0, errors
    assert out == "written\n"
    assert seconds < 10, seconds
    assert lag(settings) == 0


@pytest.mark.slow
def test_an_archive_that_never_answers_does_not_hold_up_the_end(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    publish(settings, 10)
    with slow_worker(tmp_path, 600.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        out, errors, seconds = end(process)
    assert (process.returncode, out) == (0, ""), errors
    assert seconds < 10, seconds
    assert lag(settings) == 10
    with slow_worker(tmp_path, 0.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        _, errors, _ = end(process)
    assert process.returncode == 0, errors
    assert lag(settings) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        {"MOODWIRE_BROKER_URL": "kafka://alice:geheim@127.0.0.1:9"},
        {"MOODWIRE_ARCHIVE_URL": "https://alice:geheim@127.0.0.1:9"},
    ],
)
def test_a_password_in_an_address_is_shown_nowhere(address: dict[str, str], tmp_path: Path) -> None:
    for words in (("doctor", "--json"), ("doctor",)):
        done = subprocess.run(
            command(*words), env=environment(tmp_path) | address, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, words
        assert "127.0.0.1:9" in done.stdout + done.stderr
        assert "geheim" not in done.stdout + done.stderr, words
        assert "Traceback" not in done.stderr
