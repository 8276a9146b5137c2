"""Why an alert opened at a time, or why none did: the judgement of every rule and window, made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alerts import AlertConfig, AlertEvent, Evidence, Finding, Reason, Wording, explain, kind_of
from alerts.records import rounded
from streams.archive.protocol import Archive
from streams.jobs.recount import Look, Watched, recount

__all__ = ["Explanation", "explained", "finding_numbers", "finding_text"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The judgement at the tick `tick_ms`.

    `answer` settles the whole series, where it does; else `findings` has one entry per rule and window, none of a rule
    `each`. `events` are the changes of the series' alerts up to then, counted again. `models` are the versions that
    scored the items.
    """

    watched: Watched
    tick_ms: int
    answer: Reason | None
    findings: tuple[Finding, ...]
    events: tuple[AlertEvent, ...]
    models: tuple[str, ...]

    @property
    def caused(self) -> tuple[AlertEvent, ...]:
        """The changes at this very tick."""
        return tuple(event for event in self.events if event.updated_ms == self.tick_ms)


def finding_text(finding: Finding, signal: str, wording: Wording) -> str:
    """Returns what a window held, and what was expected where a rule looked that far."""
    count, evidence = finding.count, finding.evidence
    if evidence is None:
        return f"{count.hits} of {count.total} {wording.signal(signal)} in {wording.window(count.window.seconds)}"
    return wording.evidence(
        signal,
        evidence.rule,
        hits=count.hits,
        total=count.total,
        seconds=count.window.seconds,
        expected=evidence.expected,
        interval=_interval(evidence),
        p_value=evidence.p_value,
    )


def finding_numbers(finding: Finding) -> dict[str, Any]:
    """Returns the same in numbers."""
    count, evidence = finding.count, finding.evidence
    looked = {} if evidence is None else {
        "expected": rounded(evidence.expected),
        "interval": _interval(evidence),
        "p_value": rounded(evidence.p_value),
        "level": rounded(evidence.level),
    }  # fmt: skip
    return {
        "window_seconds": count.window.seconds,
        "start_ms": count.start_ms,
        "end_ms": count.end_ms,
        "hits": count.hits,
        "total": count.total,
        **looked,
    }


def _interval(evidence: Evidence) -> tuple[int, int]:
    found = evidence.interval()
    return found.low, found.high


async def explained(
    archive: Archive,
    config: AlertConfig,
    watched: Watched,
    at_ms: int,
    *,
    partitions: int = 1,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # progress is optional
) -> Explanation:
    """Returns the judgement at the last tick up to `at_ms`, from the archived items; see `recount`."""
    kind, rules = kind_of(watched.series), config.ruleset.of(watched.signal, watched.series)
    tick_ms = at_ms // config.hop_ms * config.hop_ms

    def judged(look: Look) -> tuple[Reason | None, list[Finding]]:
        if rules and not look.stream.start_of(kind):
            return Reason.WARMING_UP, []  # no item was seen before
        return explain(watched.signal, watched.series, kind, look.state, look.stream, config)

    found = await recount(archive, config, watched, [tick_ms], judged, partitions=partitions, on_progress=on_progress)
    [(answer, findings)] = found.looks
    events = tuple(event for event in found.events if event.updated_ms <= tick_ms)
    return Explanation(watched, tick_ms, answer, tuple(findings), events, tuple(sorted(found.models)))
