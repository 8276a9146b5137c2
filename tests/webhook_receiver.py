"""A webhook's receiver on loopback: it answers every post with a status and keeps the post."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Post", "WebhookReceiver", "receiving"]


@dataclass(frozen=True, slots=True)
class Post:
    """A post and the status that it was answered with; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class WebhookReceiver(ThreadingHTTPServer):
    """Answers with `status`, which may be changed at any time."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.content_type, self.answer = "", b""
        self.posts: list[Post] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/pager"

    @property
    def taken(self) -> list[str]:
        """The ids of the posts that were answered with success, in their order."""
        return [post.id for post in self.posts if post.status < 300]


class _Handler(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        post = Post(self.server.status, headers, body)
        self.server.posts.append(post)
        self.send_response(post.status)
        if self.server.content_type:
            self.send_header("content-type", self.server.content_type)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Says nothing."""


@contextmanager
def receiving(status: int = 204) -> Iterator[WebhookReceiver]:
    with WebhookReceiver(status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
