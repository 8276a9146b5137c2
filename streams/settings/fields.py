"""Every setting: its place in the settings file, what it is, its default and its bounds; and what follows from them.

A field `broker_url` is `url` in the section `broker` of moodwire.yaml, and MOODWIRE_BROKER_URL in the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streams.archive.elastic.address import without_user
from streams.archive.elastic.options import ElasticOptions
from streams.errors import SettingsError
from streams.net.networks import Network, parse_networks
from streams.net.options import NetOptions, checked_proxy
from streams.settings.places import default_data_dir, from_home, setting
from streams.settings.source import FileSource
from streams.topics import NAMED, NamedTopics, Topics, checked_namespace, checked_prefix
from streams.transport.kafka.options import KafkaOptions, is_kafka
from streams.transport.kafka.security import KafkaSecurity
from streams.wall_clock import HOUR_MS

__all__ = ["Settings"]

_CENTURY_HOURS = 876_600
"""More is a slip, and times in ms stay within 64 bits."""


class Settings(BaseSettings):
    """Validated settings. Unset URLs mean the embedded broker and archive under `data_dir/namespace`."""

    # A variable that compose or a chart passes on empty counts as not set.
    model_config = SettingsConfigDict(
        env_prefix="MOODWIRE_", frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False
    )

    data_dir: Path = setting(
        "data.dir",
        "folder of the embedded broker and archive; by default the user's data folder",
        factory=default_data_dir,
    )
    namespace: str = setting("data.namespace", "name of the stream: live, or the name of a replay", "live")

    broker_url: str = setting(
        "broker.url", "kafka://host:port[,host:port…]; empty: the embedded broker in the data folder", ""
    )
    prefix: str = setting(
        "broker.prefix", "prefix of topics and groups, for several deployments on one broker", "moodwire."
    )
    news_topic: str = setting(
        "broker.news_topic", "existing topic of news to read; empty: <prefix><namespace>.news", ""
    )
    scored_topic: str = setting(
        "broker.scored_topic", "existing topic for scored items; empty: <prefix><namespace>.scored", ""
    )
    alerts_topic: str = setting(
        "broker.alerts_topic", "existing topic for alerts; empty: <prefix><namespace>.alerts", ""
    )
    rejects_topic: str = setting(
        "broker.rejects_topic", "existing topic for rejects; empty: <prefix><namespace>.rejects", ""
    )
    partitions: int = setting(
        "broker.partitions", "partitions of the topic news, fixed at its creation", 1, ge=1, le=1024
    )
    mentions_partitions: int = setting(
        "broker.mentions_partitions",
        "partitions of mentions, fixed at their creation; each one counts by itself",
        1,
        ge=1,
        le=1024,
    )
    retention_hours: float = setting(
        "broker.retention_hours", "how long the broker keeps records", 168.0, gt=0, le=_CENTURY_HOURS
    )

    kafka_replication: int = setting(
        "kafka.replication", "replicas of each topic; -1: the cluster's default", -1, ge=-1, le=15
    )
    kafka_min_in_sync: int | None = setting(
        "kafka.min_in_sync", "replicas that must have a record; unset: the cluster's default", None, ge=1
    )
    kafka_session_seconds: float = setting(
        "kafka.session_seconds", "a worker silent for so long loses its partitions", 10.0, ge=1, le=300
    )
    kafka_instance: str | None = setting(
        "kafka.instance", "name of this worker, the same after a restart: a quick restart moves no partition", None
    )
    kafka_compaction_lag_hours: float = setting(
        "kafka.compaction_lag_hours", "how long a replaced row of state is kept", 24.0, ge=0, le=_CENTURY_HOURS
    )
    kafka_ca: Path | None = setting("kafka.ca", "certificate authority of the brokers (PEM); turns TLS on", None)
    kafka_tls: bool = setting("kafka.tls", "TLS with the system's certificate authorities", False)
    kafka_certificate: Path | None = setting("kafka.certificate", "this client's certificate (PEM)", None)
    kafka_key: Path | None = setting("kafka.key", "this client's private key (PEM)", None)
    kafka_mechanism: str | None = setting("kafka.mechanism", "SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", None)
    kafka_user: str | None = setting("kafka.user", "SASL user", None)
    kafka_password: SecretStr | None = setting("kafka.password", "SASL password", None)

    archive_url: str = setting(
        "archive.url", "https://host:port of Elasticsearch; empty: the embedded archive in the data folder", ""
    )
    archive_prefix: str = setting(
        "archive.prefix",
        "prefix of Elasticsearch indices and aliases",
        "moodwire-",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$",
    )
    archive_user: str = setting("archive.user", "user of Elasticsearch (basic authentication)", "")
    archive_password: SecretStr | None = setting("archive.password", "password of that user", None)
    archive_api_key: SecretStr | None = setting(
        "archive.api_key", "API key of Elasticsearch, as encoded by Kibana", None
    )
    archive_ca: Path | None = setting("archive.ca", "certificate authority of Elasticsearch (PEM)", None)
    archive_verify: bool = setting(
        "archive.verify", "check Elasticsearch's certificate; false is for tests alone", True
    )
    archive_shards: int = setting(
        "archive.shards", "shards of a daily index; 0: the server's (serverless)", 1, ge=0, le=64
    )
    archive_replicas: int = setting("archive.replicas", "copies of each shard", 1, ge=0, le=5)
    archive_retention_days: int = setting(
        "archive.retention_days", "days that have an index each; older and future ones share one", 90, ge=1, le=3650
    )
    archive_bulk_bytes: int = setting(
        "archive.bulk_bytes", "most bytes of a bulk request", 5 << 20, ge=1 << 16, le=90 << 20
    )
    archive_in_flight: int = setting("archive.in_flight", "bulk requests that a worker sends at once", 4, ge=1, le=64)
    archive_seconds: float = setting(
        "archive.seconds", "how long Elasticsearch may take to answer a request", 30.0, ge=1, le=3600
    )

    profile: str = setting("scoring.profile", "profile: a shipped name, or a folder with profile.yaml", "finance")
    gazetteer: Path | None = setting(
        "scoring.gazetteer", "YAML or CSV of your own entities, merged over the profile's", None
    )
    threads: int = setting("scoring.threads", "threads of the classifier; 0: all cores", 0, ge=0)
    device: Literal["cpu", "gpu"] = setting(
        "scoring.device", "where the classifier runs; gpu needs onnxruntime-gpu", "cpu"
    )
    token_budget: int = setting(
        "scoring.token_budget", "tokens in a batch of the classifier, padding counted", 256, ge=64
    )
    models_dir: Path | None = setting(
        "scoring.models_dir", "folder of added models; unset: models in the data folder", None
    )
    model_sha256: str = setting(
        "scoring.model_sha256",
        "checksums of the models that may be loaded (`moodwire model list --json`), by comma; empty: any",
        "",
    )
    control_seconds: float = setting(
        "scoring.control_seconds",
        "how often workers look for promotions and changed watchlists",
        5.0,
        gt=0,
        le=3600,
    )

    feeds: Path | None = setting("feeds.file", "YAML of RSS and Atom feeds to poll", None)
    field_map: Path | None = setting("feeds.field_map", "YAML that maps the fields of foreign records to ours", None)

    watchlists: Path | None = setting("alerts.watchlists", "YAML of watchlists", None)
    rules: Path | None = setting("alerts.rules", "YAML of alert rules of your own, beside the profile's", None)
    routes: Path | None = setting("alerts.routes", "YAML of routes and receivers of alerts", None)
    lateness_seconds: float | None = setting(
        "alerts.lateness_seconds", "disorder that windows wait for; unset: the profile's", None, ge=0, le=86_400
    )
    late_after_hours: float = setting(
        "alerts.late_after_hours",
        "an item published longer than this before it was seen is not counted",
        6.0,
        gt=0,
        le=_CENTURY_HOURS,
    )
    hold_hours: float = setting(
        "alerts.hold_hours",
        "live: longest that one silent partition of news holds back the time of windows",
        24.0,
        gt=0,
        le=_CENTURY_HOURS,
    )
    hold_items: int = setting(
        "alerts.hold_items",
        "live: most mentions that wait for a silent partition; a million takes 60 MB",
        4_000_000,
        ge=10_000,
    )
    away_seconds: float = setting(
        "alerts.away_seconds",
        "live: how long alerts wait for a mentions partition without a worker, and messages that are due for a tick",
        60.0,
        ge=1,
        le=86_400,
    )
    clock_ahead_seconds: float = setting(
        "alerts.clock_ahead_seconds", "live: how far event time may be ahead of the worker's clock", 1.0, ge=0, le=3600
    )

    terminal: bool = setting("delivery.terminal", "print alerts to the terminal", True)
    alerts_file: Path | None = setting("delivery.file", "NDJSON file that alerts are appended to", None)
    webhook_url: SecretStr | None = setting(
        "delivery.webhook_url", "webhook that alerts are posted to (Standard Webhooks)", None
    )
    webhook_secret: SecretStr | None = setting(
        "delivery.webhook_secret", "signing secret of the webhook, whsec_…", None
    )
    deliver_deadline_hours: float = setting(
        "delivery.deadline_hours", "how long a notification is tried before it counts as failed", 72.0, gt=0, le=8760
    )

    run_records: int = setting("runs.records", "most records given to a stage at once", 2_000, ge=1, le=100_000)
    run_bytes: int = setting("runs.bytes", "most bytes of records in a run", 4 << 20, ge=1 << 16, le=1 << 30)
    runs_in_flight: int = setting("runs.in_flight", "runs of a partition in memory at once", 2, ge=1, le=16)
    score_seconds: float = setting(
        "runs.score_seconds", "live: least time between two runs of score of a partition", 0.05, ge=0, le=60
    )
    watch_seconds: float = setting(
        "runs.watch_seconds",
        "live: least time between two runs of watch, each of which writes one row a series",
        0.5,
        ge=0,
        le=60,
    )
    drain_seconds: float = setting(
        "runs.drain_seconds", "time that started runs get to finish at SIGTERM", 5.0, gt=0, le=300
    )

    http_host: str = setting("http.host", "address of /health, /ready and /metrics of `run`", "127.0.0.1")
    http_port: int | None = setting("http.port", "their port; 0: none; unset: 8710 if it is free", None, ge=0, le=65535)

    board_host: str = setting(
        "board.host", "address of the board; any but loopback needs tokens (`moodwire tokens make`)", "127.0.0.1"
    )
    board_port: int | None = setting(
        "board.port", "its port; 0: any free one; -1: no board; unset: 8770 if it is free", None, ge=-1, le=65535
    )
    board_base: str = setting("board.base", "path at which a proxy mounts the board", "/", pattern=r"^/([\w.~-]+/)*$")
    board_hosts: str = setting(
        "board.hosts", "names under which browsers reach the board, by comma; loopback's always work", ""
    )
    board_tokens: Path | None = setting(
        "board.tokens", "file of the board's tokens, hashed; unset: tokens.json in the namespace's folder", None
    )
    board_proxy_header: str = setting(
        "board.proxy_header", "header in which an authenticating proxy names the user, such as X-Forwarded-User", ""
    )
    board_proxy_networks: str = setting(
        "board.proxy_networks", "networks of that proxy, such as 10.1.2.0/24; the header of others is ignored", ""
    )
    board_proxy_scopes: str = setting(
        "board.proxy_scopes",
        "what the users that the proxy names may do: read, act, push, admin, by comma",
        "read,act",
        pattern=r"^(read|act|push|admin)(, ?(read|act|push|admin))*$",
    )

    allowed_networks: str = setting(
        "network.allowed_networks",
        "private networks that redirects of feeds may lead into, such as 10.0.0.0/8,fd00::/8",
        "",
    )
    proxy: SecretStr | None = setting(
        "network.proxy", "HTTP proxy of feeds, webhook and watchdog; HTTP_PROXY and its like are not read", None
    )

    log_level: str = setting("logs.level", "DEBUG, INFO, WARNING or ERROR", "WARNING")
    log_format: str = setting("logs.format", "text for people, json for machines; logs go to standard error", "text")

    otel_endpoint: str = setting(
        "monitoring.otel_endpoint", "OTLP/HTTP collector for traces, http://host:4318; needs moodwire[otel]", ""
    )
    watchdog_url: SecretStr | None = setting(
        "monitoring.watchdog_url", "pinged by POST while all is well (dead man's switch)", None
    )
    watchdog_seconds: float = setting("monitoring.watchdog_seconds", "time between two pings", 60.0, ge=1, le=86_400)
    trouble_after_seconds: float = setting(
        "monitoring.trouble_after_seconds",
        "how long a trouble lasts before it is reported through the channels of alerts",
        60.0,
        ge=0,
        le=86_400,
    )
    stall_seconds: float = setting(
        "monitoring.stall_seconds",
        "a stage or event time that makes no progress for so long is a trouble",
        120.0,
        gt=0,
        le=86_400,
    )
    lag_limit: int = setting(
        "monitoring.lag_limit", "more records behind than this are a trouble; 0: no limit", 100_000, ge=0
    )
    feed_silent_hours: float = setting(
        "monitoring.feed_silent_hours",
        "a feed without news for so long is a trouble; 0: never",
        24.0,
        ge=0,
        le=_CENTURY_HOURS,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes them by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options of the call above the environment, the environment above the settings file."""
        return init_settings, env_settings, FileSource(settings_cls)

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

    @field_validator("*")
    @classmethod
    def _from_home(cls, value: Any) -> Any:
        """A path that begins with ~ is in a home folder, also where no shell has expanded it."""
        return from_home(value) if isinstance(value, Path) else value

    @field_validator("profile")
    @classmethod
    def _profile_from_home(cls, value: str) -> str:
        return str(from_home(Path(value)))

    @field_validator("namespace")
    @classmethod
    def _usable_namespace(cls, value: str) -> str:
        return _checked(checked_namespace, value)

    @field_validator("prefix")
    @classmethod
    def _usable_prefix(cls, value: str) -> str:
        return _checked(checked_prefix, value)

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

    @model_validator(mode="after")
    def _usable_topics(self) -> Settings:
        try:
            _ = self.topics
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def topics(self) -> Topics:
        named = NamedTopics(self.news_topic, self.scored_topic, self.alerts_topic, self.rejects_topic)
        return Topics(self.prefix, self.namespace, named)

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
            int(self.kafka_compaction_lag_hours * HOUR_MS),
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
        return NetOptions(self.networks, self.checked_proxy)

    @property
    def networks(self) -> Sequence[Network]:
        """The private networks that strangers' addresses may lead into; raises SettingsError."""
        return parse_networks(self.allowed_networks, "MOODWIRE_ALLOWED_NETWORKS")

    @property
    def checked_proxy(self) -> str | None:
        """The proxy of outgoing HTTP, which may hold a password; raises SettingsError."""
        return checked_proxy(self.proxy.get_secret_value()) if self.proxy else None

    def changed(self, **changes: object) -> Settings:
        """The settings with some of another value; those of another namespace name no existing topics."""
        copy = self.model_copy(update=changes)
        return copy if copy.namespace == self.namespace else copy.with_own_topics()

    def with_own_topics(self) -> Settings:
        """The settings without the names of existing topics."""
        named = {f"{topic}_topic": "" for topic in NAMED if self.topics.foreign(topic)}
        return self.model_copy(update=named) if named else self


def _checked(check: Callable[[str], str], value: str) -> str:
    """What `check` returns; its SettingsError becomes what pydantic collects with the other problems."""
    try:
        return check(value)
    except SettingsError as error:
        raise ValueError(str(error)) from error
