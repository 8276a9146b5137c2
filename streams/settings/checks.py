"""What contradicts itself among settings that are each right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from streams.errors import SettingsError
from streams.settings.fields import Settings
from streams.transport.broker import check_url

__all__ = ["contradictions"]

Written = Callable[[str], str]
"""Gives the name of a field as it was written: a variable, or a key with its line in the settings file."""


def contradictions(settings: Settings, written: Written) -> Iterator[str]:
    """Every contradiction as a sentence that names the settings and the fix."""
    if not settings.data_dir.is_absolute() and "data_dir" not in settings.model_fields_set:
        yield f"{written('data_dir')}: this user has no home folder: name a folder for the data"
    yield from _refused(lambda: check_url(settings.broker))
    yield from _of_kafka(settings, written) if settings.on_kafka else _of_embedded_broker(settings, written)
    yield from _refused(lambda: settings.net)


def _refused(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except SettingsError as error:
        yield str(error)


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
    yield from _refused(settings.kafka.security.options)
