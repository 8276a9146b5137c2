"""The policy of the settings without opening a channel: for commands that ask where an alert would go."""

from __future__ import annotations

from alerts.judge import Policy
from streams.receivers.entries import read_receivers
from streams.receivers.policy import read_policy
from streams.settings import Settings

__all__ = ["policy_of", "receiver_names"]


def receiver_names(settings: Settings) -> list[str]:
    """Returns the names of the receivers of the settings, then of routes.yaml. Raises `WrongFile`."""
    own = {
        "terminal": settings.terminal,
        "file": settings.alerts_file is not None,
        "webhook": settings.webhook_url is not None,
    }
    listed = read_receivers(settings.routes)
    return [*(name for name, there in own.items() if there), *(one.name for one in listed)]


def policy_of(settings: Settings) -> Policy:
    """Returns where alerts go by the settings. Raises `WrongFile` with every mistake in the file."""
    return read_policy(settings.routes, receiver_names(settings))
