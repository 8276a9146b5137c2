"""Importing the dashboards of a profile into Kibana over its saved-objects API."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
from pydantic import SecretStr

from streams.archive.elastic.address import without_user
from streams.archive.elastic.dashboards import Charts, dashboards_of
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveError

__all__ = ["DEFAULT_PREFIX", "dashboard_files", "import_dashboards"]

DEFAULT_PREFIX = "moodwire-"
"""The prefix that the shipped data views name; for another one they are changed as they are imported."""
SHIPPED = (Path(__file__).resolve().parents[3] / "deploy" / "kibana", Path("/usr/share/moodwire/kibana"))
"""Where the dashboards stand: in a checkout, or in our images."""
_SECONDS = 60.0


def dashboard_files(folder: Path | None = None) -> list[Path]:
    """The NDJSON files of a folder (default: those that are shipped); raises `ArchiveError` without any."""
    folders = (folder,) if folder else SHIPPED
    for each in folders:
        if files := sorted(each.glob("*.ndjson")):
            return files
    looked = " or ".join(map(str, folders))
    raise ArchiveError(f"no dashboards (*.ndjson) in {looked}: name their folder with --dashboards")


def import_dashboards(url: str, files: Sequence[Path], options: ElasticOptions, charts: Charts) -> int:
    """Imports the objects of these files, filled with `charts`, over older ones; returns how many.

    Raises `ArchiveError` with Kibana's reason, or naming a file that cannot be read.

    Kibana is asked with the archive's own user or API key, unless `url` names a user.
    """
    shown, user, password = without_user(url)
    if user:
        options = replace(options, user=user, password=SecretStr(password), api_key=SecretStr(""))
    headers = {"kbn-xsrf": "moodwire"}
    if authorization := options.authorization():
        headers["authorization"] = authorization
    try:
        with httpx.Client(verify=_trust(options), headers=headers, timeout=_SECONDS, trust_env=False) as client:
            return sum(_import(client, shown, path, options.prefix, charts) for path in files)
    except httpx.HTTPError as error:
        raise ArchiveError(f"Kibana at {shown} cannot be reached: {error}; is it started and ready?") from error


def _trust(options: ElasticOptions) -> ssl.SSLContext | bool:
    """Without a certificate authority of the settings SSL_CERT_FILE counts; proxies of the environment never do."""
    if not options.verify:
        return False
    return ssl.create_default_context(cafile=options.ca) if options.ca else httpx.create_ssl_context()


def _import(client: httpx.Client, url: str, path: Path, prefix: str, charts: Charts) -> int:
    try:
        objects = with_prefix(dashboards_of(path.read_bytes(), charts), prefix)
    except (OSError, msgspec.DecodeError) as error:
        raise ArchiveError(f"dashboards {path} cannot be read: {error}") from error
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
