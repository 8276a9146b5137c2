"""What contradicts itself among settings that are each right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from streams.archive import check_archive_url
from streams.errors import SettingsError
from streams.settings.fields import Settings
from streams.settings.places import variable_of
from streams.transport.broker import check_url

__all__ = ["contradictions"]

Written = Callable[[str], str]
"""Gives the name of a field as it was written: a variable, or a key with its line in the settings file."""


def contradictions(settings: Settings, written: Written) -> Iterator[str]:
    """Every contradiction as a sentence that names the settings and the fix."""
    yield from _homeless(settings, written)
    yield from _refused(written, "broker_url", lambda: check_url(settings.broker))
    yield from _of_kafka(settings, written) if settings.on_kafka else _of_embedded_broker(settings, written)
    yield from _refused(written, "archive_url", lambda: check_archive_url(settings.archive))
    yield from _refused(written, "proxy", lambda: settings.checked_proxy)
    yield from _refused(written, "allowed_networks", lambda: settings.networks)


def _homeless(settings: Settings, written: Written) -> Iterator[str]:
    """Paths in a home folder that there is not."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, Path) or not str(value).startswith("~"):
            continue
        if name == "data_dir" and name not in settings.model_fields_set:
            yield f"{written(name)}: this user has no home folder: name a folder for the data"
        else:
            yield f"{written(name)}={value}: there is no such home folder: write the whole path"


def _refused(written: Written, name: str, check: Callable[[], object]) -> Iterator[str]:
    """What the check of a setting raises, with the name that whoever set it knows."""
    try:
        check()
    except SettingsError as error:
        variable, place = variable_of(name), written(name)
        text = str(error).replace(variable, place, 1)
        yield text if place in text else f"{place}: {text}"


def _of_embedded_broker(settings: Settings, written: Written) -> Iterator[str]:
    fields = type(settings).model_fields
    given = sorted(
        name for name in settings.model_fields_set
        if name.startswith("kafka_") and getattr(settings, name) != fields[name].default
    )  # fmt: skip
    if given:
        names = ", ".join(map(written, given))
        yield f"{names}: only for Kafka, and the broker is {settings.broker}: set {written('broker_url')}"
    if settings.mentions_partitions != 1:
        yield f"{written('mentions_partitions')}: the embedded broker has one worker per stage; leave it unset"


def _of_kafka(settings: Settings, written: Written) -> Iterator[str]:
    if bool(settings.kafka_certificate) != bool(settings.kafka_key):
        pair = f"{written('kafka_certificate')} and {written('kafka_key')}"
        yield f"{pair} go together: set both or none"
        return
    sasl = (settings.kafka_mechanism, settings.kafka_user, settings.kafka_password)
    if any(sasl) and not all(sasl):
        first, *rest = map(written, ("kafka_mechanism", "kafka_user", "kafka_password"))
        yield f"{first}, {rest[0]} and {rest[1]} go together: set all or none"
        return
    minimum, replicas = settings.kafka_min_in_sync, settings.kafka_replication
    if minimum is not None and replicas != -1 and minimum > replicas:
        compared = f"{written('kafka_min_in_sync')}={minimum} is more than {written('kafka_replication')}={replicas}"
        yield f"{compared}: nothing could be sent"
    if replicas == 0:
        yield f"{written('kafka_replication')}=0: take 1 or more, or -1 for the cluster's default"
    yield from _refused(written, "kafka_mechanism", settings.kafka.security.options)
