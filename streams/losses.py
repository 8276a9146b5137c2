"""One of the two embedded databases was lost and the other was not: how a pipeline notices when it starts.

The archive is empty, the broker holds scored items    an error: what is archived from now on would hide the loss
The archive holds items, the broker never counted any  a warning: it may be a new broker on purpose
"""

from __future__ import annotations

from streams.archive.protocol import ArchiveDamaged
from streams.archive.sqlite import SqliteArchive
from streams.logs import get_logger
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker

__all__ = ["check_for_losses"]

log = get_logger(__name__)

_NO_GROUP = ""
"""Has committed nothing: its lag is all that was ever sent."""


async def check_for_losses(settings: Settings, archive: SqliteArchive) -> None:
    """Compares the archive with the embedded broker, whose topics exist; does nothing on Kafka.

    Raises `ArchiveDamaged` for an archive that is empty beside a broker that holds items that were archived.
    """
    if settings.on_kafka:
        return
    new = await archive.is_new()
    with open_broker(settings.broker, settings.kafka) as broker:
        if new and _holds_scored(broker, settings):
            raise _emptied(settings)
        if not new and broker.lag(_NO_GROUP, settings.topics.mentions) == 0:
            _warn_of_the_broker(settings)


def _holds_scored(broker: Broker, settings: Settings) -> bool:
    return next(iter(broker.scan(settings.topics.scored)), None) is not None


def _places(settings: Settings) -> tuple[str, str]:
    return settings.archive.partition("://")[2], settings.broker.partition("://")[2]


def _emptied(settings: Settings) -> ArchiveDamaged:
    archive, broker = _places(settings)
    return ArchiveDamaged(
        f"archive {archive} is empty, though its broker {broker} holds items that were archived: the file was removed "
        "or replaced. Restore both from a backup (`moodwire restore`), or run `moodwire archive rebuild -n "
        f"{settings.namespace}`, which archives what the broker still holds"
    )


def _warn_of_the_broker(settings: Settings) -> None:
    archive, broker = _places(settings)
    log.warning(
        "Archive holds items and the broker has counted none: windows, baselines and open alerts start empty. If the "
        "broker's file was lost, stop moodwire, run the command, and start it again",
        command=f"moodwire archive rebuild-state -n {settings.namespace}",
        archive=archive,
        broker=broker,
    )
