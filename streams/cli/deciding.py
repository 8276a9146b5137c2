"""What the commands that decide about alerts share: the state that was seen, sending, and the answer in words."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer

from alerts.judge import Answer, Decision, Outcome
from alerts.judge.rows import SubscriptionRow, WatchlistRow
from alerts.matchers import Matcher, MatcherError, parse_matchers
from streams.cli.options import person
from streams.cli.output import console, errors, foreign, print_json
from streams.decisions import decide
from streams.errors import MoodwireError, WrongDecision
from streams.existing import open_existing, records_of
from streams.jobs.decision_warnings import warnings_of
from streams.jobs.judge_state import JudgeState, read_judge
from streams.namespaces import declared
from streams.settings import Settings, load_settings
from streams.transport.broker import Broker
from streams.wall_clock import wall_clock_ms

__all__ = ["Decider", "SeenOption", "WaitOption", "deciding", "given_matchers", "seen_version"]

_SHORTEST: Final = 4  # digits of an id: fewer name too many

SeenOption = Annotated[
    int | None, typer.Option("--seen", help="Version that you saw; by default the present one.", min=0)
]
WaitOption = Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0)]

_WORDS: Final = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REPEATED: "accepted before; nothing changed",
    Outcome.MOVED: "refused, since it changed meanwhile: look again and repeat the command",
    Outcome.UNKNOWN: "refused, since there is none",
    Outcome.OVER: "refused, since its time is over",
    Outcome.WRONG: "refused",
    Outcome.TOO_MANY: "refused, since no more are kept",
}


@dataclass(frozen=True, slots=True)
class Decider:
    """A person who decides once, with what they saw.

    `now_ms` is the sender's clock, `event_ms` now in the time that ends are compared with: in a replay another one.
    """

    broker: Broker
    settings: Settings
    state: JudgeState
    by: str
    wait_seconds: float
    json: bool
    event_ms: int
    now_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def header(self, seen: int | None = None) -> dict[str, Any]:
        """Returns the fields that every decision has."""
        return {"id": self.id, "by": self.by, "at_ms": self.now_ms, "seen": seen}

    def target(self, text: str, seen: int | None) -> tuple[str, int | None]:
        """Returns id and version of the alert or group whose id is, or begins with, `text`.

        Raises `MoodwireError` for none and for several.
        """
        known = self.state.versions
        found = [text] if text in known else [name for name in known if _begins(name, text)]
        if not found:
            raise MoodwireError(f"there is no alert or group {text!r} now; see `moodwire alerts list`")
        if len(found) > 1:
            raise MoodwireError(f"{len(found)} ids begin with {text!r}: {', '.join(sorted(found)[:3])} …; write more")
        return found[0], known[found[0]] if seen is None else seen

    def decide(self, decision: Decision) -> None:
        """Sends the decision, waits for its answer and prints it; exit code 1 unless it was accepted."""
        try:
            answer = decide(self.broker, self.settings.topics, decision, wait_seconds=self.wait_seconds)
        except WrongDecision as error:
            raise typer.BadParameter(str(error)) from error
        warnings = warnings_of(decision, self.state, self.settings)
        if self.json:
            more = {"warnings": warnings} if warnings else {}
            print_json({"id": decision.id, "answered": answer is not None, **_fields(answer), **more})
        else:
            _show(decision, answer)
            for text in warnings:
                errors.print(f"[yellow]warning:[/] {foreign(text)}", highlight=False, soft_wrap=True)
        if answer is None or not answer.accepted:
            raise typer.Exit(1)


@contextmanager
def deciding(namespace: str | None, by: str | None, wait_seconds: float, *, json: bool) -> Iterator[Decider]:
    """The namespace's broker, and what the judge knows, for one decision."""
    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker:
        state = read_judge(broker, settings.topics)
        now_ms, found = wall_clock_ms(), declared(records_of(broker, settings.topics.control))
        event_ms = state.event_ms(found.kind if found is not None else None, now_ms)
        yield Decider(broker, settings, state, person(by), wait_seconds, json, event_ms, now_ms)


def seen_version(
    known: SubscriptionRow | WatchlistRow | None, seen: int | None, *, otherwise: int | None = None
) -> int | None:
    """Returns the version that a decision carries: the one that was named, else the present one, else `otherwise`."""
    if seen is not None:
        return seen
    return known.seen_version if known is not None else otherwise


def given_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Returns the matchers of an option's texts, of which one may hold several. Raises `typer.BadParameter`."""
    try:
        return tuple(one for text in texts for one in parse_matchers(text))
    except MatcherError as error:
        raise typer.BadParameter(str(error)) from error


def _begins(name: str, text: str) -> bool:
    return len(text) >= _SHORTEST and name.startswith(text)


def _fields(answer: Answer | None) -> dict[str, Any]:
    return {} if answer is None else {"outcome": answer.outcome, "version": answer.version, "detail": answer.detail}


def _show(decision: Decision, answer: Answer | None) -> None:
    if answer is None:
        text = "sent; no worker of `deliver` has answered yet, the next one decides"
    else:
        detail = f": {answer.detail}" if answer.detail else ""
        text = f"{_WORDS[answer.outcome]}{detail}"
    colour = "green" if answer is not None and answer.accepted else "yellow"
    console.print(f"[{colour}]{foreign(text)}[/]  [dim]{foreign(decision.id)}[/]", highlight=False, soft_wrap=True)
