"""A real HTTP server for feeds: says what it is told to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]


@dataclass
class Answer:
    """One response; `chunks` follow the head as they are, so that a body may stall or never end."""

    status: str = "200 OK"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall: bool = False  # sends the head and half of the body, then nothing
    hang_up: bool = False  # closes the connection in the middle of the body


class FeedServer:
    """`answers` maps a path to an answer or to a function of the request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.stopped = asyncio.Event()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in head[1:] if line)
            asked = Asked(head[0].split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs})
            self.asked.append(asked)
            found = self.answers.get(asked.path, Answer("404 Not Found"))
            await self._write(writer, found if isinstance(found, Answer) else found(asked))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _write(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        headers = {"Content-Length": str(len(answer.body)), "Connection": "close"} | answer.headers
        lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        cut = len(answer.body) // 2 if answer.stall or answer.hang_up else len(answer.body)
        writer.write(answer.body[:cut])
        await writer.drain()
        if answer.stall:
            await self.stopped.wait()


@asynccontextmanager
async def running_feed_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[FeedServer]:
    made = FeedServer(0)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        made.stopped.set()
