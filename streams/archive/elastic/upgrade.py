"""What is wrong with the indices that exist, and what an archive of an older moodwire lacks, added in place."""

from __future__ import annotations

from streams.archive.elastic.names import Names
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.reading import LENIENT
from streams.archive.elastic.session import Session
from streams.archive.elastic.templates import DYNAMIC, ITEM, NOTIFICATION, TEMPLATE_VERSION, writing_out

__all__ = ["loss", "refusal", "unmarked", "upgrade"]

_MARK = "index.analysis.analyzer.moodwire_words.type"
"""A setting that every template of ours gives its indices."""
_AGAIN = (
    "`moodwire archive setup` and `moodwire archive rebuild`, which fills new ones from the topics as far back as they "
    "reach"
)


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
        f"run {_AGAIN}"
    )


async def unmarked(session: Session, names: Names) -> str:
    """Why indices that were made without our templates are not used, and how to start afresh; empty without any.

    Elasticsearch makes an index for whatever is written, unless it was told otherwise: without templates one that
    guesses the types of fields, and that no alias shows.
    """
    others = (names.hour_days, names.registry, names.sightings, names.alerts, names.alert_states, names.notifications)
    indices = ",".join([names.days, *others])
    # `index.uuid` is a setting of every index: without it those without the mark would not be in the answer.
    found = await session.call(
        "GET", f"/{indices}/_settings/{_MARK},index.uuid", None, LENIENT | {"flat_settings": "true"}
    )
    made = sorted(name for name, index in found.items() if _MARK not in index["settings"])
    if not made:
        return ""
    return (
        f"the indices {', '.join(made)} were made without moodwire's templates, as where Elasticsearch has lost its "
        f"data: stop all workers, delete these indices, then run {_AGAIN}"
    )


def loss(names: Names) -> str:
    """What a worker says whose templates are gone, and mostly all documents with them."""
    return (
        f"the templates {names.prefix}*, which were there before, are gone, as where Elasticsearch has lost its data: "
        f"run {_AGAIN}"
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
