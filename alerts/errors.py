"""Every error that `alerts` raises on purpose.

AlertsError
├── ConfigError     a key of the alert rules is wrong: names the key, the value and the fix
├── StateError      a stored state row cannot be read: damaged, or written by a newer moodwire
└── DeliveryError   a channel's own settings are wrong, such as a bad URL or secret

A delivery that fails is no exception: it is an answer (`alerts.delivery.Delivery`).
"""

from __future__ import annotations

__all__ = ["AlertsError", "ConfigError", "DeliveryError", "StateError"]


class AlertsError(Exception):
    """Base of all; its text is fit for an operator to read."""


class ConfigError(AlertsError):
    """A key of the alert rules is wrong; `key` is its dotted path."""

    def __init__(self, key: str, problem: str, fix: str) -> None:
        super().__init__(f"{key}: {problem}; {fix}")
        self.key = key


class StateError(AlertsError):
    """A state row cannot be read; the text says whether it is damaged or too new."""


class DeliveryError(AlertsError):
    """A channel cannot be set up; the text names the setting and the fix, never a secret."""
