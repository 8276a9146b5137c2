"""The event that the channels' tests send."""

from __future__ import annotations

from alerts import AlertEvent
from alerts.records import Expected, Observed, Peak, WindowSpan, labels_of

NOW_MS = 1_700_000_000_000


def delivery_event(name: str, revision: int = 1) -> AlertEvent:
    """A firing alert without headlines."""
    return AlertEvent(
        id=name,
        revision=revision,
        signal="negative",
        rule="volume",
        detector="volume",
        series="entity/a",
        kind="entity",
        state="firing",
        change="opened",
        severity="warning",
        onset_ms=NOW_MS,
        updated_ms=NOW_MS,
        window=WindowSpan(NOW_MS - 900_000, NOW_MS, 900),
        observed=Observed(3, 4),
        expected=Expected(0.1, 0.4, (0, 1)),
        p_value=1e-5,
        level=1e-3,
        peak=Peak(NOW_MS, 900, 3, 4, 0.1, (0, 1), 1e-5),
        reasons=(),
        top_items=(),
        labels=labels_of("volume", "negative", "entity/a", "entity", "warning"),
    )
