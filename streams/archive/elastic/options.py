"""How an Elasticsearch archive is reached and laid out: one frozen value, made from settings."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

__all__ = ["ElasticOptions"]


@dataclass(frozen=True, slots=True)
class ElasticOptions:
    """Everything but the address. Secrets are `SecretStr`: no repr, log or error shows them.

    `prefix` stands before every index, alias and template. `shards` and `replicas` are those of a daily index; 0
    shards leaves both to the server (serverless refuses them). `retention_days` is what daily indices cover; days
    before it, and days to come, share one index. `bulk_bytes` and `in_flight` bound what is on its way: at most
    their product is held by requests. A request is tried `attempts` times before the partition waits.
    """

    prefix: str = "moodwire-"
    user: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    api_key: SecretStr = field(default_factory=lambda: SecretStr(""))
    ca: Path | None = None
    verify: bool = True
    shards: int = 1
    replicas: int = 1
    retention_days: int = 90
    bulk_bytes: int = 5 * 2**20
    in_flight: int = 4
    request_seconds: float = 30.0
    attempts: int = 5

    def authorization(self) -> str:
        """The header's value; empty when the server asks for none."""
        if key := self.api_key.get_secret_value():
            return f"ApiKey {key}"
        if self.user:
            pair = f"{self.user}:{self.password.get_secret_value()}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        return ""
