"""What exists already, for commands that only ask: they open it, or say what there is instead, and create nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.archive import open_archive
from streams.archive.elastic.address import is_elastic
from streams.archive.protocol import Archive
from streams.engine.runs import Record
from streams.errors import SettingsError
from streams.observe.logs import shown
from streams.settings import Settings
from streams.settings.earlier import earlier_data, namespaces_in
from streams.transport.broker import Broker, open_broker
from streams.transport.sqlite.broker import broker_path

__all__ = ["exists", "known_namespaces", "open_existing", "open_existing_archive", "places", "records_of"]


def places(settings: Settings) -> str:
    """Where the namespace's data are: its folder, and servers in its place."""
    broker, archive = settings.broker_url and shown(settings.broker), settings.archive_url and shown(settings.archive)
    if broker and archive:
        return f"{broker} and {archive}"
    served = f", {broker or archive}" if broker or archive else ""
    return f"{settings.home}{served}"


def known_namespaces(settings: Settings, broker: Broker | None = None) -> list[str]:
    """The namespaces of this data folder; with `broker`, a cluster's, those that have topics under the prefix."""
    if broker is not None:
        topics = (name.removeprefix(settings.prefix) for name in broker.names(settings.prefix))
        return sorted(name.removesuffix(".control") for name in topics if name.endswith(".control"))
    return namespaces_in(settings.data_dir.absolute())


def exists(settings: Settings) -> bool:
    """Whether the namespace has a broker's file, or topics on the cluster."""
    if not settings.on_kafka:
        return broker_path(settings.broker).exists()
    with open_broker(settings.broker, settings.kafka) as broker:
        return bool(broker.names(settings.topics.name("")))


@contextmanager
def open_existing(settings: Settings) -> Iterator[Broker]:
    """The namespace's broker; raises `SettingsError` naming the namespaces that exist when it is none of them."""
    if not settings.on_kafka and not exists(settings):
        raise absent(settings)
    with open_broker(settings.broker, settings.kafka) as broker:
        if not broker.names(settings.topics.name("")):
            raise absent(settings, broker if settings.on_kafka else None)
        yield broker


def open_existing_archive(settings: Settings) -> Archive:
    """The namespace's archive, to be closed; raises `SettingsError` when it is embedded and was never made."""
    if not is_elastic(settings.archive) and not Path(settings.archive.partition("://")[2]).exists():
        raise absent(settings)
    return open_archive(settings.archive, settings.elastic)


def records_of(broker: Broker, topic: str) -> Iterator[Record]:
    """The records of a topic; none of one that was never made."""
    return broker.scan(topic) if topic in broker.names(topic) else iter(())


def absent(settings: Settings, broker: Broker | None = None) -> SettingsError:
    """The error for a namespace that does not exist."""
    where = shown(settings.broker) if broker is not None else str(settings.data_dir.absolute())
    known = known_namespaces(settings, broker)
    others = f"it has {', '.join(known)} (-n NAME)" if known else "it has none yet: demo, replay and run make one"
    return SettingsError(f"there is no namespace {settings.namespace!r} in {where}; {others}{_nearby(settings)}")


def _nearby(settings: Settings) -> str:
    """Data in the working folder or above it, where moodwire kept them before it had a folder of its own."""
    here = Path.cwd()
    found = earlier_data(settings, (here, *here.parents))
    return f". There are data in {found}: set MOODWIRE_DATA_DIR to that folder" if found else ""
