"""Importing dashboards into Kibana over its saved-objects API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec

from streams.archive.elastic.address import without_user
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveError

__all__ = ["DEFAULT_PREFIX", "dashboard_files", "import_dashboards"]

DEFAULT_PREFIX = "moodwire-"
"""The prefix that the shipped data views name; for another one they are changed as they are imported."""
SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "kibana"
_SECONDS = 60.0


def dashboard_files(folder: Path | None = None) -> list[Path]:
    """The NDJSON files of a folder (default: the checkout's `deploy/kibana`); raises `ArchiveError` without any."""
    files = sorted((folder or SHIPPED).glob("*.ndjson"))
    if not files:
        raise ArchiveError(f"no dashboards (*.ndjson) in {folder or SHIPPED}: name their folder with --dashboards")
    return files


def import_dashboards(url: str, files: Sequence[Path], options: ElasticOptions) -> int:
    """Import the objects of these files, over older ones; how many. Raises `ArchiveError` with Kibana's reason.

    Kibana is asked with the archive's own user or API key.
    """
    shown, _, _ = without_user(url)
    headers = {"kbn-xsrf": "moodwire"}
    if authorization := options.authorization():
        headers["authorization"] = authorization
    try:
        with httpx.Client(verify=_trust(options), headers=headers, timeout=_SECONDS) as client:
            return sum(_import(client, shown, path, options.prefix) for path in files)
    except httpx.HTTPError as error:
        raise ArchiveError(f"Kibana at {shown} cannot be reached: {error}; is it started and ready?") from error


def _trust(options: ElasticOptions) -> str | bool:
    return str(options.ca) if options.ca and options.verify else options.verify


def _import(client: httpx.Client, url: str, path: Path, prefix: str) -> int:
    objects = with_prefix(path.read_bytes(), prefix)
    answer = client.post(
        f"{url.rstrip('/')}/api/saved_objects/_import",
        params={"overwrite": "true"},
        files={"file": (path.name, objects, "application/ndjson")},
    )
    if answer.status_code != httpx.codes.OK:
        raise ArchiveError(f"Kibana at {url} refuses {path.name}: {answer.status_code} {answer.text[:300]}")
    said = answer.json()
    if not said.get("success"):
        problems = [f"{error.get('id')}: {error.get('error')}" for error in said.get("errors", [])]
        raise ArchiveError(f"Kibana at {url} did not import all of {path.name}: {'; '.join(problems)[:500]}")
    return int(said["successCount"])


def with_prefix(ndjson: bytes, prefix: str) -> bytes:
    """The same objects, their data views over indices with this prefix."""
    if prefix == DEFAULT_PREFIX:
        return ndjson
    objects = [msgspec.json.decode(line) for line in ndjson.splitlines() if line.strip()]
    for one in objects:
        if one.get("type") == "index-pattern":
            titles = one["attributes"]["title"].split(",")
            one["attributes"]["title"] = ",".join(_moved(title, prefix) for title in titles)
    return b"".join(msgspec.json.encode(one) + b"\n" for one in objects)


def _moved(title: str, prefix: str) -> str:
    return prefix + title.removeprefix(DEFAULT_PREFIX) if title.startswith(DEFAULT_PREFIX) else title
