"""Every setting, read once at start-up from the environment (`MOODWIRE_…`); `moodwire doctor` lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.archive.elastic.address import without_user
from streams.archive.elastic.options import ElasticOptions
from streams.errors import SettingsError
from streams.net.networks import parse_networks
from streams.net.options import NetOptions, checked_proxy
from streams.topics import Topics, checked_namespace, checked_prefix
from streams.transport.broker import check_url
from streams.transport.kafka.options import KafkaOptions, is_kafka
from streams.transport.kafka.security import KafkaSecurity

__all__ = ["Settings", "load_settings"]


class Settings(BaseSettings):
    """Validated settings. Unset URLs mean the embedded broker and archive under `data_dir/namespace`."""

    # A variable that compose or a chart passes on empty counts as not set.
    model_config = SettingsConfigDict(env_prefix="MOODWIRE_", frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(Path(".moodwire"), description="folder of the embedded broker and archive")
    namespace: str = Field("live", description="keeps streams apart: live or a replay, by the command that fills it")
    prefix: str = Field("moodwire.", description="prefix of topics and groups, for several deployments on one broker")
    broker_url: str = Field("", description="broker; empty: sqlite:///<data_dir>/<namespace>/broker.db")
    archive_url: str = Field("", description="archive; empty: sqlite:///<data_dir>/<namespace>/archive.db")
    archive_prefix: str = Field(
        "moodwire-", pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$", description="prefix of Elasticsearch indices and aliases"
    )
    archive_user: str = Field("", description="user of Elasticsearch (basic authentication)")
    archive_password: SecretStr | None = Field(None, description="password of that user")
    archive_api_key: SecretStr | None = Field(None, description="API key of Elasticsearch, as encoded by Kibana")
    archive_ca: Path | None = Field(None, description="certificate authority of Elasticsearch (PEM)")
    archive_verify: bool = Field(True, description="check Elasticsearch's certificate; false is for tests alone")
    archive_shards: int = Field(1, ge=0, le=64, description="shards of a daily index; 0: the server's (serverless)")
    archive_replicas: int = Field(1, ge=0, le=5, description="copies of each shard")
    archive_retention_days: int = Field(
        90, ge=1, le=3650, description="days that have an index each; older and future ones share one"
    )
    archive_bulk_bytes: int = Field(5 << 20, ge=1 << 16, le=90 << 20, description="most bytes of a bulk request")
    archive_in_flight: int = Field(4, ge=1, le=64, description="bulk requests of a worker on their way at once")
    archive_seconds: float = Field(30.0, ge=1, description="how long Elasticsearch may take to answer a request")
    profile: str = Field("finance", description="profile: a shipped name or a path to a folder with profile.yaml")
    watchlists: Path | None = Field(None, description="YAML of watchlists")
    gazetteer: Path | None = Field(None, description="YAML or CSV of your own entities, merged over the profile's")
    field_map: Path | None = Field(None, description="YAML that maps the fields of foreign records to ours")
    feeds: Path | None = Field(None, description="YAML of RSS/Atom feeds to poll")
    partitions: int = Field(1, ge=1, le=1024, description="partitions of the topic news, fixed when it is made")
    mentions_partitions: int = Field(
        1,
        ge=1,
        le=1024,
        description="partitions of mentions and alerts, fixed when made; each judges by itself",
    )
    kafka_replication: int = Field(-1, ge=-1, le=15, description="replicas of each topic; -1: the cluster's default")
    kafka_min_in_sync: int | None = Field(None, ge=1, description="replicas that must have a record; unset: theirs")
    kafka_session_seconds: float = Field(
        10.0, ge=1, le=300, description="a worker silent for so long loses its partitions"
    )
    kafka_instance: str | None = Field(
        None, description="name of this worker, kept over restarts: a quick restart moves no partition"
    )
    kafka_compaction_lag_hours: float = Field(24.0, ge=0, description="how long a replaced row of state is kept")
    kafka_ca: Path | None = Field(None, description="certificate authority of the brokers (PEM); turns TLS on")
    kafka_tls: bool = Field(False, description="TLS with the system's certificate authorities")
    kafka_certificate: Path | None = Field(None, description="this client's certificate (PEM)")
    kafka_key: Path | None = Field(None, description="this client's private key (PEM)")
    kafka_mechanism: str | None = Field(None, description="SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    kafka_user: str | None = Field(None, description="SASL user")
    kafka_password: SecretStr | None = Field(None, description="SASL password")
    run_records: int = Field(2_000, ge=1, le=100_000, description="most records handed to a stage at once")
    score_seconds: float = Field(0.05, ge=0, le=60, description="live, time between two runs of score of a partition")
    watch_seconds: float = Field(
        0.5, ge=0, le=60, description="the same of watch, which writes a row for all that came meanwhile"
    )
    lateness_seconds: float | None = Field(
        None, ge=0, description="disorder that windows wait for; unset: the profile's"
    )
    hold_hours: float = Field(
        24.0, gt=0, description="live, longest that one silent partition of news holds back the time of windows"
    )
    hold_items: int = Field(
        4_000_000, ge=10_000, description="live, most mentions that wait for a silent partition; a million takes 60 MB"
    )
    clock_ahead_seconds: float = Field(
        1.0, ge=0, le=3600, description="live, how far event time may go beyond the clock of the worker"
    )
    late_after_hours: float = Field(6.0, gt=0, description="published longer than this before it was seen: not counted")
    threads: int = Field(0, ge=0, description="threads of the classifier; 0: all cores")
    device: Literal["cpu", "gpu"] = Field("cpu", description="where the classifier runs; gpu needs onnxruntime-gpu")
    models_dir: Path | None = Field(None, description="folder of added models; unset: <data_dir>/models")
    control_seconds: float = Field(5.0, gt=0, le=3600, description="how often workers look for promoted models")
    model_sha256: str = Field(
        "", description="checksums of the models that may be loaded (`moodwire model list`), by comma; empty: any"
    )
    token_budget: int = Field(256, ge=64, description="tokens in a batch of the classifier, padding counted")
    retention_hours: float = Field(168.0, gt=0, description="how long the broker keeps records")
    terminal: bool = Field(True, description="print alerts to the terminal")
    alerts_file: Path | None = Field(None, description="NDJSON file that alerts are appended to")
    webhook_url: SecretStr | None = Field(None, description="webhook that alerts are posted to (Standard Webhooks)")
    webhook_secret: SecretStr | None = Field(None, description="signing secret of the webhook, whsec_…")
    deliver_deadline_hours: float = Field(
        72.0, gt=0, le=8760, description="how long a notification is tried before it counts as failed"
    )
    log_level: str = Field("WARNING", description="DEBUG, INFO, WARNING or ERROR")
    log_format: str = Field("text", description="text for people, json for machines; logs go to standard error")
    run_bytes: int = Field(4 << 20, ge=1 << 16, le=1 << 30, description="most bytes of records in a run")
    runs_in_flight: int = Field(2, ge=1, le=16, description="runs of a partition in memory at once")
    drain_seconds: float = Field(5.0, gt=0, le=300, description="time that runs in hand get to finish at SIGTERM")
    http_host: str = Field("127.0.0.1", description="address of /health, /ready and /metrics of `run`")
    http_port: int | None = Field(None, ge=0, le=65535, description="their port; 0: none; unset: 8710 if it is free")
    allowed_networks: str = Field(
        "", description="private networks that redirects of feeds may lead into, such as 10.0.0.0/8,fd00::/8"
    )
    proxy: SecretStr | None = Field(
        None, description="HTTP proxy of feeds, webhook and watchdog; HTTP_PROXY and its like are not read"
    )
    otel_endpoint: str = Field("", description="OTLP/HTTP collector for traces, http://host:4318; needs moodwire[otel]")
    watchdog_url: SecretStr | None = Field(None, description="pinged by POST while all is well (dead man's switch)")
    watchdog_seconds: float = Field(60.0, ge=1, description="time between two pings")
    trouble_after_seconds: float = Field(60.0, ge=0, description="how long a trouble lasts before people are told")
    stall_seconds: float = Field(120.0, gt=0, description="a stage or event time that stands still so long is trouble")
    lag_limit: int = Field(100_000, ge=0, description="records behind that are trouble; 0: none are")
    feed_silent_hours: float = Field(24.0, ge=0, description="a feed without news for so long is trouble; 0: never")

    @model_validator(mode="before")
    @classmethod
    def _take_user_out_of_archive_url(cls, given: Any) -> Any:
        """An address is shown and logged: a user and password in it become settings of their own."""
        url = given.get("archive_url") if isinstance(given, dict) else None
        if not isinstance(url, str) or "@" not in url:
            return given
        clean, user, password = without_user(url)
        login = {"archive_user": user, "archive_password": password} if user else {}
        return {**login, **given, "archive_url": clean}

    @field_validator("namespace")
    @classmethod
    def _usable_namespace(cls, value: str) -> str:
        return checked_namespace(value)

    @field_validator("prefix")
    @classmethod
    def _usable_prefix(cls, value: str) -> str:
        return checked_prefix(value)

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("take DEBUG, INFO, WARNING or ERROR")
        return level

    @field_validator("log_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value.lower() not in {"text", "json"}:
            raise ValueError("take text or json")
        return value.lower()

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix, self.namespace)

    @property
    def home(self) -> Path:
        """The namespace's own folder, absolute."""
        return self.data_dir.absolute() / self.namespace

    @property
    def models(self) -> Path:
        """The folder of added models, shared by all namespaces."""
        return self.models_dir or self.data_dir.absolute() / "models"

    @property
    def broker(self) -> str:
        return self.broker_url or f"sqlite:///{self.home / 'broker.db'}"

    @property
    def on_kafka(self) -> bool:
        return is_kafka(self.broker)

    @property
    def kafka(self) -> KafkaOptions:
        """How to use the cluster; raises SettingsError for certificates that cannot be."""
        tls = self.kafka_tls or self.kafka_ca is not None or self.kafka_certificate is not None
        sasl = self.kafka_mechanism is not None
        protocol = f"SASL_{'SSL' if tls else 'PLAINTEXT'}" if sasl else "SSL" if tls else "PLAINTEXT"
        security = KafkaSecurity(
            protocol,
            self.kafka_mechanism,
            self.kafka_user,
            self.kafka_password.get_secret_value() if self.kafka_password else None,
            *(str(path) if path else None for path in (self.kafka_ca, self.kafka_certificate, self.kafka_key)),
        )
        return KafkaOptions(
            security,
            self.kafka_replication,
            self.kafka_min_in_sync,
            self.kafka_session_seconds,
            self.kafka_instance,
            int(self.kafka_compaction_lag_hours * 3_600_000),
        )

    @property
    def archive(self) -> str:
        return self.archive_url or f"sqlite:///{self.home / 'archive.db'}"

    @property
    def elastic(self) -> ElasticOptions:
        """How to use Elasticsearch; every namespace but `live` has indices of its own."""
        own = "" if self.namespace == "live" else f"{self.namespace.lower()}-"
        nothing = SecretStr("")
        return ElasticOptions(
            prefix=f"{self.archive_prefix}{own}",
            user=self.archive_user,
            password=self.archive_password or nothing,
            api_key=self.archive_api_key or nothing,
            ca=self.archive_ca,
            verify=self.archive_verify,
            shards=self.archive_shards,
            replicas=self.archive_replicas,
            retention_days=self.archive_retention_days,
            bulk_bytes=self.archive_bulk_bytes,
            in_flight=self.archive_in_flight,
            request_seconds=self.archive_seconds,
        )

    @property
    def net(self) -> NetOptions:
        """How to reach feeds, webhooks and the watchdog; raises SettingsError."""
        proxy = checked_proxy(self.proxy.get_secret_value()) if self.proxy else None
        return NetOptions(parse_networks(self.allowed_networks, "MOODWIRE_ALLOWED_NETWORKS"), proxy)

    def changed(self, **changes: object) -> Settings:
        return self.model_copy(update=changes)


def _check_broker(settings: Settings) -> None:
    """Raises SettingsError for what contradicts itself, naming the keys."""
    given = settings.model_fields_set
    check_url(settings.broker)
    if not settings.on_kafka:
        if set_for_kafka := sorted(name for name in given if name.startswith("kafka_") and getattr(settings, name)):
            names = ", ".join(f"MOODWIRE_{name.upper()}" for name in set_for_kafka)
            raise SettingsError(
                f"{names}: only for Kafka, and the broker is {settings.broker}: set MOODWIRE_BROKER_URL"
            )
        if settings.mentions_partitions != 1:
            raise SettingsError(
                "MOODWIRE_MENTIONS_PARTITIONS: the embedded broker has one worker per stage; leave it unset"
            )
        return
    if bool(settings.kafka_certificate) != bool(settings.kafka_key):
        raise SettingsError("MOODWIRE_KAFKA_CERTIFICATE and MOODWIRE_KAFKA_KEY go together: set both or none")
    sasl = (settings.kafka_mechanism, settings.kafka_user, settings.kafka_password)
    if any(sasl) and not all(sasl):
        raise SettingsError(
            "MOODWIRE_KAFKA_MECHANISM, MOODWIRE_KAFKA_USER and MOODWIRE_KAFKA_PASSWORD go together: set all or none"
        )
    minimum, replicas = settings.kafka_min_in_sync, settings.kafka_replication
    if minimum is not None and replicas != -1 and minimum > replicas:
        raise SettingsError(
            f"MOODWIRE_KAFKA_MIN_IN_SYNC={minimum} is more than MOODWIRE_KAFKA_REPLICATION={replicas}: "
            "nothing could be sent"
        )
    if settings.kafka_replication == 0:
        raise SettingsError("MOODWIRE_KAFKA_REPLICATION=0: take 1 or more, or -1 for the cluster's default")
    settings.kafka.security.options()


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` (None means not given) win. Raises `SettingsError`."""
    given = {key: value for key, value in overrides.items() if value is not None}
    _refuse_unknown(os.environ)
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks and converts
    except ValidationError as error:
        problems = "; ".join(
            f"MOODWIRE_{str(issue['loc'][0]).upper()}={issue.get('input')!r}: {issue['msg']}"
            for issue in error.errors()
        )
        raise SettingsError(f"settings are not usable: {problems}") from error
    _check_broker(settings)
    _ = settings.net
    return settings


def _refuse_unknown(environment: os._Environ[str]) -> None:
    known = {f"MOODWIRE_{name.upper()}" for name in Settings.model_fields} | {"MOODWIRE_SHARED_DATA"}
    unknown = sorted(name for name in environment if name.startswith("MOODWIRE_") and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}; `moodwire doctor` lists those that exist")
