"""Every error that moodwire raises on purpose.

MoodwireError
├── SettingsError        a setting, profile, watchlist or field map is wrong: names the key and the fix
│   └── Mistakes         all that is wrong at once, each in a sentence of its own
├── Reject               this record cannot be processed; the next one can (parked with its reason)
│   └── TooLarge         what would be sent for this record is larger than a broker is asked to take
├── Retry                the record is fine, the world is not: try the run again after `retry_after_seconds`
├── TransportError       the broker refused or is damaged
│   ├── BrokerDamaged    the embedded broker's file is damaged: no retry helps (so is `Damaged`)
│   ├── StageTaken       another worker already runs this stage on this embedded broker
│   ├── TopicChanged     a topic that is followed was made again, or has other partitions: follow it anew
│   ├── NewerVersion     a record or row was written by a newer moodwire: it waits for the upgrade
│   └── OlderVersion     a record or row has a format of before the first release: start afresh
├── WrongDecision        what a person decided cannot be sent: names the field and the fix
├── BackupFailed         a backup or restore was not done: names the file and the reason
├── ReplayRefused        the file starts before what its namespace has already counted
└── LeaseLost            this worker no longer owns the partition: drop the run, acknowledge nothing
"""

from __future__ import annotations

__all__ = [
    "LeaseLost",
    "Mistakes",
    "MoodwireError",
    "NewerVersion",
    "OlderVersion",
    "Reject",
    "ReplayRefused",
    "Retry",
    "SettingsError",
    "StageTaken",
    "TooLarge",
    "TopicChanged",
    "TransportError",
    "WrongDecision",
    "check_version",
    "described",
    "is_ours",
]


def described(error: BaseException) -> str:
    """Returns the error's text, or its type where it has none."""
    return str(error) or type(error).__name__


def is_ours(error: BaseException) -> bool:
    """Whether moodwire raised it on purpose, here or in models or alerts: its text says all, and no traceback helps."""
    if isinstance(error, MoodwireError):
        return True
    from alerts.errors import AlertsError  # late: what logs and reports errors is loaded by every command
    from models.errors import ModelError

    return isinstance(error, AlertsError | ModelError)


class MoodwireError(Exception):
    """Base of all; its text is fit for an operator to read."""


class SettingsError(MoodwireError):
    """A setting or a user's file is wrong; the text names the key, the value and the fix."""


class Mistakes(SettingsError):
    """Settings or a user's file with everything that is wrong: `problems`, each in a sentence of its own."""

    def __init__(self, problems: tuple[str, ...], opening: str = "") -> None:
        super().__init__(opening + "; ".join(problems))
        self.problems = problems


class WrongDecision(MoodwireError):
    """A decision that the judge could not read, or would refuse whatever it knows; `field` is where."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field, self.problem = field, problem


class Reject(MoodwireError):
    """A record that cannot be processed, now or later, as it is.

    `reason` is a short stable code for counting (``bad_json``, ``no_title``), `detail` is for people. `offset` is that
    of the record, where a stage raises it for one record of a run.
    """

    def __init__(self, reason: str, detail: str = "", offset: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.offset = offset


class TooLarge(Reject):
    """A single record is above the limit of what is sent (`streams.limits`); nothing of its batch was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)


class Retry(MoodwireError):
    """Try the same run again, after `retry_after_seconds`; the partition waits meanwhile."""

    def __init__(self, message: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TransportError(MoodwireError):
    """The broker refused, is unreachable or its file is damaged."""


class Damaged(MoodwireError):
    """The file of a database is damaged: waiting does not help. The text names the file and the way out."""


class BrokerDamaged(TransportError, Damaged):
    """The embedded broker's file is damaged."""


class BackupFailed(MoodwireError):
    """A backup or a restore was not done; the text names the file and the reason."""


class StageTaken(TransportError):
    """A second worker of the same stage was started on one embedded broker."""


class TopicChanged(TransportError):
    """A topic that is followed was made again, or its number of partitions changed: what was read of it ends here."""


class NewerVersion(TransportError):
    """A record or state row in a format that this moodwire does not know yet; it is retried, and nothing is lost."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has version {found}, this moodwire reads up to {known}: it was written by a newer one; upgrade "
            "this worker, it waits until then"
        )


class OlderVersion(TransportError):
    """A record in a format that this moodwire reads no more; the partition waits."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has version {found}, this moodwire reads {known} alone: an earlier one wrote it. Start afresh in "
            "a namespace of another name (-n), or stop moodwire, delete the topics of this one and its archive"
        )


def check_version(what: str, found: int, known: int) -> None:
    """Raises `NewerVersion` or `OlderVersion` where `what` has another version than the one `known`."""
    if found > known:
        raise NewerVersion(what, found, known)
    if found < known:
        raise OlderVersion(what, found, known)


class ReplayRefused(MoodwireError):
    """Appending this file would put items before what was already counted."""


class LeaseLost(MoodwireError):
    """The partition belongs to another worker now."""
