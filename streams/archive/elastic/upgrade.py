"""What an archive of an older moodwire lacks, added in place: fields of its documents, settings of its indices."""

from __future__ import annotations

from streams.archive.elastic.names import Names
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.reading import LENIENT
from streams.archive.elastic.session import Session
from streams.archive.elastic.templates import DYNAMIC, ITEM, NOTIFICATION, TEMPLATE_VERSION, writing_out

__all__ = ["refusal", "upgrade"]


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
    """Teaches the existing indices every field and setting of their template; idempotent.

    How often segments are made and synced stays as it is where an operator has set that.
    """
    if settings := writing_out(options):
        indices = f"{names.days},{names.registry},{names.sightings}"
        keeping = {"preserve_existing": "true", **LENIENT}
        await session.call("PUT", f"/{indices}/_settings", {"index": settings}, keeping)
    await session.call("PUT", f"/{names.days}/_mapping", {"properties": ITEM, "dynamic_templates": DYNAMIC}, LENIENT)
    await session.call("PUT", f"/{names.notifications}/_mapping", {"properties": NOTIFICATION}, LENIENT)
