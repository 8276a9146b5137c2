"""Who we are to a Kafka cluster: one description for all three clients that speak to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from streams.errors import SettingsError

__all__ = ["KafkaSecurity"]

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How to prove who we are. Secrets are not shown by `repr`.

    `protocol` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; `mechanism` PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in _PROTOCOLS:
            raise SettingsError(f"Kafka security protocol {self.protocol!r} is unknown; use {', '.join(_PROTOCOLS)}")
        if self.protocol.startswith("SASL") and not (self.mechanism and self.username and self.password):
            raise SettingsError(f"Kafka security protocol {self.protocol} needs a mechanism, a username and a password")
        if self.mechanism is not None and self.mechanism not in _MECHANISMS:
            raise SettingsError(f"Kafka SASL mechanism {self.mechanism!r} is unknown; use {', '.join(_MECHANISMS)}")

    def __repr__(self) -> str:
        return f"KafkaSecurity(protocol={self.protocol!r}, mechanism={self.mechanism!r}, username={self.username!r})"

    def options(self) -> dict[str, Any]:
        """As kafka-python's and aiokafka's clients take them."""
        given: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            given["ssl_context"] = self._ssl_context()
        if self.protocol.startswith("SASL"):
            given |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return given

    def credentials(self) -> Any:
        """As Faust takes them; None for PLAINTEXT."""
        import faust  # settings are read without it

        context = self._ssl_context() if self.protocol.endswith("SSL") else None
        if self.protocol.startswith("SASL"):
            return faust.SASLCredentials(
                username=self.username, password=self.password, mechanism=self.mechanism, ssl_context=context
            )
        return None if context is None else faust.SSLCredentials(context)

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"Kafka certificates cannot be read: {error}") from None
        return context
