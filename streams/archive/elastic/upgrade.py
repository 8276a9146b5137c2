"""What an archive of an older moodwire lacks, added in place: fields of its documents, settings of its indices."""

from __future__ import annotations

from streams.archive.elastic.names import Names
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.reading import LENIENT
from streams.archive.elastic.session import Session
from streams.archive.elastic.templates import ITEM, NOTIFICATION, TEMPLATE_VERSION, writing_out

__all__ = ["refusal", "upgrade"]

_BEFORE_NEGATIVE_IN = {
    "bool": {
        "filter": {"term": {"moodwire.current.sentiment.label": "negative"}},
        "must_not": {"exists": {"field": "moodwire.negative_in"}},
    }
}
_NEGATIVE_EVERYWHERE = "ctx._source.moodwire.negative_in = ctx._source.moodwire.series"


async def refusal(session: Session, names: Names, version: int) -> str:
    """Why documents of templates of this version are not used, and how to start afresh; empty where they are."""
    if version >= TEMPLATE_VERSION:
        return ""
    indices = f"{names.days},{names.registry},{names.alerts}"
    found = await session.call("POST", f"/{indices}/_count", None, LENIENT)
    if not found.get("count"):
        return ""
    return (
        f"the indices {names.prefix}* have version {version}, this moodwire uses version {TEMPLATE_VERSION} alone: "
        f"stop all workers, delete the indices {names.prefix}* or set MOODWIRE_ARCHIVE_PREFIX to another prefix, then "
        "run `moodwire archive setup` and `moodwire archive rebuild`, which fills new ones from the topics as far back "
        "as they reach"
    )


async def upgrade(session: Session, names: Names, options: ElasticOptions) -> None:
    """Teach the indices that are there every field of their template, and have the server fill what they lack.

    Until version 2 of the templates a negative item was negative in all of its series. The server fills that in behind
    us, however much there is; charts of past days are complete when it has. Since version 4 it is said how often
    segments are made and synced; where somebody said so before, that stays. Idempotent.
    """
    if settings := writing_out(options):
        indices = f"{names.days},{names.registry},{names.sightings}"
        keeping = {"preserve_existing": "true", **LENIENT}
        await session.call("PUT", f"/{indices}/_settings", {"index": settings}, keeping)
    await session.call("PUT", f"/{names.days}/_mapping", {"properties": ITEM}, LENIENT)
    await session.call("PUT", f"/{names.notifications}/_mapping", {"properties": NOTIFICATION}, LENIENT)
    job = {"query": _BEFORE_NEGATIVE_IN, "script": {"source": _NEGATIVE_EVERYWHERE}}
    behind = {"conflicts": "proceed", "wait_for_completion": "false", **LENIENT}
    await session.call("POST", f"/{names.days}/_update_by_query", job, behind)
