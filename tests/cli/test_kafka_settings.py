"""Settings for Kafka: what they come to, what is refused by its key, and that secrets are not shown."""

from __future__ import annotations

import pytest

from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.transport.kafka.options import bootstrap_of

KAFKA = {"MOODWIRE_BROKER_URL": "kafka://a:9092,b:9093"}
SASL = KAFKA | {
    "MOODWIRE_KAFKA_MECHANISM": "SCRAM-SHA-512",
    "MOODWIRE_KAFKA_USER": "worker",
    "MOODWIRE_KAFKA_PASSWORD": "hunter2",
}


def given(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Settings:
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    return load_settings()


def test_servers_are_taken_from_the_url_with_kafkas_port() -> None:
    assert bootstrap_of("kafka://a:1,b,[::1]:3") == ["a:1", "b:9092", "[::1]:3"]
    assert bootstrap_of("aiokafka://a/") == ["a:9092"]


@pytest.mark.parametrize("url", ["kafka://", "kafka://a:x", "kafka://a b", "http://a:1", "kafka://a:1,,/x"])
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="broker"):
        bootstrap_of(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="settings of their own") as refused:
        bootstrap_of("kafka://worker:hunter2@a:9092")
    assert "hunter2" not in str(refused.value)


def test_defaults_on_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().mentions_partitions == 1
    settings = given(monkeypatch, KAFKA)
    assert settings.mentions_partitions == 1
    assert settings.kafka.session_seconds == 10
    assert settings.kafka.security.protocol == "PLAINTEXT"


def test_sasl_and_tls_reach_all_three_clients_and_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, SASL | {"MOODWIRE_KAFKA_TLS": "true"})
    security = settings.kafka.security
    options = security.options()
    assert options["security_protocol"] == "SASL_SSL"
    assert (options["sasl_mechanism"], options["sasl_plain_password"]) == ("SCRAM-SHA-512", "hunter2")
    credentials = security.credentials()
    assert (credentials.username, credentials.password, credentials.mechanism.value) == (
        "worker",
        "hunter2",
        "SCRAM-SHA-512",
    )
    assert credentials.ssl_context is not None
    shown = repr(settings) + repr(settings.kafka) + repr(security) + repr(credentials) + str(settings)
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"MOODWIRE_KAFKA_TLS": "true"}, "MOODWIRE_KAFKA_TLS"),
        ({"MOODWIRE_KAFKA_REPLICATION": "3"}, "MOODWIRE_KAFKA_REPLICATION"),
        ({"MOODWIRE_MENTIONS_PARTITIONS": "4"}, "MOODWIRE_MENTIONS_PARTITIONS"),
        (KAFKA | {"MOODWIRE_KAFKA_USER": "worker"}, "MOODWIRE_KAFKA_PASSWORD"),
        (SASL | {"MOODWIRE_KAFKA_MECHANISM": "GUESS"}, "GUESS"),
        (KAFKA | {"MOODWIRE_KAFKA_KEY": "key.pem"}, "MOODWIRE_KAFKA_CERTIFICATE"),
        (KAFKA | {"MOODWIRE_KAFKA_CA": "/no/ca.pem"}, "certificates"),
        (KAFKA | {"MOODWIRE_KAFKA_REPLICATION": "1", "MOODWIRE_KAFKA_MIN_IN_SYNC": "2"}, "MIN_IN_SYNC=2"),
        (KAFKA | {"MOODWIRE_KAFKA_REPLICATION": "0"}, "MOODWIRE_KAFKA_REPLICATION"),
        (KAFKA | {"MOODWIRE_KAFKA_REPLICAS": "3"}, "MOODWIRE_KAFKA_REPLICAS"),
        ({"MOODWIRE_BROKER_URL": "carrier-pigeon://coop"}, "carrier-pigeon"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_key(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], names: str
) -> None:
    with pytest.raises(SettingsError, match=names) as refused:
        given(monkeypatch, settings)
    assert "hunter2" not in str(refused.value)


def test_a_replication_factor_reaches_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, KAFKA | {"MOODWIRE_KAFKA_REPLICATION": "3", "MOODWIRE_KAFKA_MIN_IN_SYNC": "2"})
    assert (settings.kafka.replication, settings.kafka.min_in_sync) == (3, 2)
