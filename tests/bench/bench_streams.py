"""Streams of the board: 200 at once for two minutes, and the pipeline with and without them.

Each part is a process of its own: `python -m tests.bench.bench_streams serve|listen|pipeline …`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from streams.board.server import BoardServer
from streams.classifiers import classifiers_of
from streams.engine.ports import Send
from streams.process import one_heap
from streams.records import Scored
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.archive_news import crisis_news
from tests.bench.feeding import drain, publish, steady

STREAMS = 200
SECONDS = 120
ITEMS_A_SECOND = 200
PIPELINE_ITEMS = 20_000
PAIRS = 3


def measure() -> dict[str, float]:
    return _bounded() | _pairs()


def _settings(folder: str) -> Settings:
    return Settings(data_dir=Path(folder), namespace="bench", terminal=False, board_port=0, http_port=0)


def _bounded() -> dict[str, float]:
    """Memory of a board with 200 streams while items come faster than it shows them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(folder)
        settings.home.mkdir(parents=True)
        with open_broker(settings.broker) as broker:
            broker.ensure_topics(topic_specs(settings))
        with _board(folder) as (board, port), _listeners(port) as heard:
            begin, cpu = _resident_mb(board.pid), _cpu_seconds(board.pid)
            most = _feed(settings, board.pid)
            used = _cpu_seconds(board.pid) - cpu
            end = _resident_mb(board.pid)
            sent = heard()
    return {
        f"{STREAMS} streams open: board MB": begin,
        f"{STREAMS} streams for {SECONDS} s: board MB, highest": most,
        f"{STREAMS} streams for {SECONDS} s: board MB, at the end": end,
        f"{STREAMS} streams: CPU share of the board, %": used / SECONDS * 100,
        f"{STREAMS} streams: MB/s sent": sent / SECONDS / 2**20,
    }


def _feed(settings: Settings, board: int) -> float:
    """Scored items for two minutes; the most memory that the board had."""
    items, most = [msgspec.json.encode(item) for item in _long_items()], 0.0
    begin = time.monotonic()
    with open_broker(settings.broker) as broker:
        for tick in range(SECONDS * 10):
            count = ITEMS_A_SECOND // 10
            chunk = [items[(tick * count + number) % len(items)] for number in range(count)]
            broker.append([Send(settings.topics.scored, b"k", value) for value in chunk])
            most = max(most, _resident_mb(board))
            time.sleep(max(0.0, begin + (tick + 1) / 10 - time.monotonic()))
    return most


def _long_items() -> list[Scored]:
    items = crisis_news()[:500]
    for item in items:
        item.news.text = "The bank halts withdrawals as deposits leave. " * 10
    return items


def _pairs() -> dict[str, float]:
    """The whole pipeline with the shipped model on one core; board and listeners on the others, as in production."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(PAIRS):
        for streams in (True, False) if pair % 2 else (False, True):
            rates[streams].append(_pipeline_rate(streams=streams))
    shares = [with_them / without for with_them, without in zip(rates[True], rates[False], strict=True)]
    return {
        "pipeline without streams: items/s": statistics.median(rates[False]),
        f"pipeline with {STREAMS} streams: items/s": statistics.median(rates[True]),
        "pipeline with streams as a share of without, %": statistics.median(shares) * 100,
    }


def _pipeline_rate(*, streams: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(folder)
        total = publish(settings, PIPELINE_ITEMS)
        command = [sys.executable, "-m", "tests.bench.bench_streams", "pipeline", folder, str(total)]
        if not streams:
            return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        with _board(folder) as (_, port), _listeners(port):
            return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


@contextmanager
def _board(folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with _process("serve", folder) as (process, line):
        yield process, int(line)


@contextmanager
def _listeners(port: int) -> Iterator[_Bytes]:
    """200 streams in a process; what is yielded counts what they got."""
    with _process("listen", str(port)) as (process, _):
        yield _Bytes(process)


class _Bytes:
    """How many bytes the listeners got; ends them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self) -> int:
        output, _ = self._process.communicate("\n")
        return int(output.split()[-1])


@contextmanager
def _process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of this module that has printed a line; it ends when its standard input does."""
    command = [sys.executable, "-m", "tests.bench.bench_streams", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, _line(process.stdout)
        if process.poll() is None:
            process.communicate("\n")


def _line(output: IO[str]) -> str:
    return output.readline().strip()


async def _serve(folder: str) -> None:
    async with BoardServer(_settings(folder)) as server:
        print(server.port, flush=True)
        await _told_to_end()


async def _listen(port: int) -> None:
    got = 0

    async def one() -> None:
        nonlocal got
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        ready.release()
        while data := await reader.read(1 << 18):
            got += len(data)

    ready = asyncio.Semaphore(0)
    streams = [asyncio.create_task(one()) for _ in range(STREAMS)]
    for _ in streams:
        await ready.acquire()
    print("ready", flush=True)
    await _told_to_end()
    assert not any(stream.done() for stream in streams), "a stream was closed"
    for stream in streams:
        stream.cancel()
    print(got, flush=True)


async def _told_to_end() -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    wait = threading.Thread(target=lambda: (sys.stdin.read(1), loop.call_soon_threadsafe(end.set)), daemon=True)
    wait.start()
    await end.wait()


def _pipeline(folder: str, total: str) -> None:
    settings = _settings(folder)
    classifiers = classifiers_of(settings, load_profile(settings.profile))
    done, wall, _ = steady(asyncio.run(drain(settings, classifiers, int(total))))
    print(done / wall)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(part: str, *arguments: str) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:1] if part == "pipeline" else cores[1:])
    if part == "serve":
        asyncio.run(_serve(*arguments))
    elif part == "listen":
        asyncio.run(_listen(int(arguments[0])))
    else:
        one_heap()
        _pipeline(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
