"""Kibana's import of saved objects, as much of it as can refuse us: headers, form, file, references, versions, login.

POST /api/saved_objects/_import?overwrite=true   kbn-xsrf: …   multipart form, one part `file`, *.ndjson
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["KibanaStub", "running_kibana"]

KNOWN_VERSIONS = {"index-pattern": (8, 0, 0), "search": (10, 5, 0), "lens": (8, 9, 0), "dashboard": (10, 3, 0)}
"""The newest that Kibana 8.19 writes itself."""

Answer = tuple[int, dict[str, Any]]


class KibanaStub(ThreadingHTTPServer):
    """Keeps what was imported in `objects`, by type and id. `authorization` is the header that it asks for."""

    daemon_threads = True

    def __init__(self, authorization: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.authorization = authorization
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.imports = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, path: str, headers: Message, body: bytes) -> Answer:
        """What Kibana would answer."""
        where = urlsplit(path)
        if where.path != "/api/saved_objects/_import":
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        if "kbn-xsrf" not in headers:
            return _bad("Request must contain a kbn-xsrf header.")
        if self.authorization is not None and headers.get("authorization") != self.authorization:
            return 401, {"statusCode": 401, "error": "Unauthorized", "message": "Unauthorized"}
        name, content = _file_of(headers, body)
        if not name.endswith(".ndjson"):
            return _bad(f"Invalid file extension of {name!r}")
        return self._import([json.loads(line) for line in content.splitlines()], parse_qs(where.query))

    def _import(self, objects: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
        here = {(each["type"], each["id"]): each for each in objects}
        overwrite = query.get("overwrite") == ["true"]
        errors = []
        for (kind, name), each in here.items():
            if kind not in KNOWN_VERSIONS:
                errors.append({"id": name, "type": kind, "error": {"type": "unsupported_type"}})
            elif tuple(map(int, each["typeMigrationVersion"].split("."))) > KNOWN_VERSIONS[kind]:
                return 422, {
                    "statusCode": 422,
                    "error": "Unprocessable Content",
                    "message": f"{name} is of a newer Kibana",
                }
            elif missing := [one for one in each["references"] if (one["type"], one["id"]) not in here | self.objects]:
                error = {"type": "missing_references", "references": missing}
                errors.append({"id": name, "type": kind, "error": error})
            elif (kind, name) in self.objects and not overwrite:
                errors.append({"id": name, "type": kind, "error": {"type": "conflict"}})
        self.imports += 1
        if errors:
            return 200, {"success": False, "successCount": 0, "warnings": [], "errors": errors}
        self.objects |= here
        return 200, {"success": True, "successCount": len(here), "warnings": []}


def _bad(message: str) -> Answer:
    return 400, {"statusCode": 400, "error": "Bad Request", "message": message}


def _file_of(headers: Message, body: bytes) -> tuple[str, bytes]:
    """Name and bytes of the form's part `file`."""
    head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    for part in form.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return part.get_filename() or "", content
    return "", b""


class _Handler(BaseHTTPRequestHandler):
    server: KibanaStub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, answer = self.server.take(self.path, self.headers, body)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that the base class gives
        """Silent: a test's output is the test's."""


@contextlib.contextmanager
def running_kibana(authorization: str | None = None) -> Iterator[KibanaStub]:
    """A stub that serves on a port of its own until the end."""
    stub = KibanaStub(authorization)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        thread.join()
        stub.server_close()
