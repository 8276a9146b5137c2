"""Answers what people decide, by its place in the log: the first of two wins, the other learns that it came second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Final

import msgspec

from alerts.clock import MINUTE_MS
from alerts.delivery.group import severity_rank
from alerts.judge.decisions import (
    Acknowledge,
    Answer,
    Assign,
    Decision,
    ExpireSilence,
    Maintenance,
    Note,
    Outcome,
    Silence,
    Subscribe,
    Unacknowledge,
    Unreadable,
    Unsubscribe,
    Unwatch,
    Verdict,
    Watch,
)
from alerts.judge.entries import View, ViewKind
from alerts.judge.faults import fault_of
from alerts.judge.grouping import Grouping
from alerts.judge.mutes import compiled, hides
from alerts.judge.routing import Routing
from alerts.judge.rows import (
    ANSWER,
    SUBSCRIPTION,
    WATCHLIST,
    AlertRow,
    AnswerRow,
    Comment,
    Member,
    MuteRow,
    SubscriptionRow,
    WatchlistRow,
)
from alerts.judge.state import State
from alerts.matchers import MatcherError

__all__ = ["Deciding"]

_MOST_MUTES: Final = 1_000
_MOST_SUBSCRIPTIONS: Final = 1_000
_MOST_WATCHLISTS: Final = 1_000
_MOST_NOTES: Final = 50
_KEPT_ANSWERS: Final = 1_000
_WARNED_BEFORE_MS: Final = 15 * MINUTE_MS


class _Refused(Exception):
    """Why a decision is not followed."""

    def __init__(self, outcome: Outcome, detail: str, version: int = 0) -> None:
        super().__init__(detail)
        self.outcome, self.detail, self.version = outcome, detail, version


class Deciding:
    """Follows decisions at the state's present time."""

    def __init__(self, state: State, routing: Routing, grouping: Grouping) -> None:
        self._state = state
        self._routing = routing
        self._grouping = grouping

    def answer(self, decision: Decision) -> Answer:
        """Follows the decision, or says why not. One that comes again is answered alike, whatever has changed since.

        What cannot be read is not kept: a judge that can read it decides it.
        """
        before = self._state.answers.get(decision.id)
        if before is not None:
            return before.again(decision.id)
        answer = self._decided(decision)
        if not isinstance(decision, Unreadable):
            self._keep(answer)
        return answer

    def _decided(self, decision: Decision) -> Answer:
        try:
            self._check_words(decision)
            version, detail = self._follow(decision)
        except _Refused as refused:
            return Answer(decision=decision.id, outcome=refused.outcome, version=refused.version, detail=refused.detail)
        return Answer(decision=decision.id, outcome=Outcome.ACCEPTED, version=version, detail=detail)

    def _keep(self, answer: Answer) -> None:
        answers, decision = self._state.answers, answer.decision
        detail = "" if answer.outcome is Outcome.ACCEPTED else answer.detail
        answers[decision] = AnswerRow(self._state.meta.position, answer.version, outcome=answer.outcome, detail=detail)
        self._state.touch(ANSWER + decision)
        if len(answers) > _KEPT_ANSWERS:
            oldest = min(answers, key=lambda name: answers[name].position)
            del answers[oldest]
            self._state.touch(ANSWER + oldest)

    def _follow(self, decision: Decision) -> tuple[int, str]:
        match decision:
            case Acknowledge() | Unacknowledge() | Assign() | Note():
                return self._about_alerts(decision)
            case Verdict():
                return self._judged(decision)
            case Silence() | Maintenance():
                return self._mute(decision)
            case ExpireSilence():
                return self._expire(decision)
            case Subscribe():
                return self._subscribe(decision)
            case Unsubscribe():
                return self._unsubscribe(decision)
            case Watch():
                return self._watch(decision)
            case Unwatch():
                return self._unwatch(decision)
            case Unreadable():
                raise _Refused(Outcome.WRONG, decision.problem)

    @staticmethod
    def _check_words(decision: Decision) -> None:
        fault = fault_of(decision)
        if fault is not None:
            raise _Refused(Outcome.WRONG, str(fault))

    def _check(self, decision: Decision, version: int) -> None:
        if decision.seen is not None and decision.seen != version:
            raise _Refused(Outcome.MOVED, f"it has version {version} now, not {decision.seen}", version)

    def _check_named(self, decision: Subscribe | Watch, known: SubscriptionRow | WatchlistRow | None) -> int:
        """Returns the version to replace, 0 for a new one."""
        if known is None and decision.seen:
            raise _Refused(Outcome.MOVED, f"{decision.name!r} was removed; you saw version {decision.seen} of it")
        if known is not None and decision.seen == 0:
            detail = f"{decision.name!r} is there already, in version {known.seen_version}"
            raise _Refused(Outcome.MOVED, detail, known.seen_version)
        version = known.seen_version if known else 0
        self._check(decision, version)
        return version

    # -- alerts

    def _about_alerts(self, decision: Acknowledge | Unacknowledge | Assign | Note) -> tuple[int, str]:
        group = self._state.groups.get(decision.target)
        if group is not None:
            self._check(decision, group.revision)
            alerts = [self._state.alerts[name] for name, member in group.members.items() if not member.left]
        else:
            alert = self._state.alerts.get(decision.target)
            if alert is None:
                raise _Refused(Outcome.UNKNOWN, "no alert or group has this id, or it ended long ago")
            self._check(decision, alert.seen_version)
            alerts = [alert]
        changed = self._each(decision, alerts)
        version = group.revision if group is not None else alerts[0].seen_version
        return version, ", ".join(alert.event.series for alert in changed[:5])

    def _each(self, decision: Acknowledge | Unacknowledge | Assign | Note, alerts: list[AlertRow]) -> list[AlertRow]:
        match decision:
            case Acknowledge():
                if decision.until_ms <= self._state.now_ms:
                    raise _Refused(Outcome.OVER, "it would have ended already")
                alerts = self._needed([alert for alert in alerts if alert.fires], "none of them fires")
                self._change(alerts, lambda alert: self._acknowledged(alert, decision))
            case Unacknowledge():
                alerts = self._needed([alert for alert in alerts if alert.acknowledged_by], "none is acknowledged")
                self._change(alerts, self.unacknowledge)
            case Assign():
                self._change(alerts, lambda alert: setattr(alert, "assigned_to", decision.to))
            case Note():
                self._noted(alerts, decision)
        return alerts

    @staticmethod
    def _needed(alerts: list[AlertRow], otherwise: str) -> list[AlertRow]:
        if not alerts:
            raise _Refused(Outcome.OVER, otherwise)
        return alerts

    def _change(self, alerts: Iterable[AlertRow], change: Callable[[AlertRow], None]) -> None:
        for alert in alerts:
            change(alert)
            alert.seen_version += 1
            self._state.show_alert(alert)

    def _acknowledged(self, alert: AlertRow, decision: Acknowledge) -> None:
        alert.acknowledged_by, alert.acknowledged_until_ms = decision.by, decision.until_ms
        if decision.comment:
            alert.notes = [*alert.notes, _comment(decision, decision.comment)][-_MOST_NOTES:]
        self._grouping.attended(alert)

    def unacknowledge(self, alert: AlertRow) -> None:
        """Nobody looks after the alert any longer."""
        alert.acknowledged_by, alert.acknowledged_until_ms = "", 0
        self._grouping.remind(alert, "acknowledgement_ended")

    def _noted(self, alerts: list[AlertRow], decision: Note) -> None:
        if any(len(alert.notes) >= _MOST_NOTES for alert in alerts):
            raise _Refused(Outcome.TOO_MANY, f"an alert has at most {_MOST_NOTES} notes")
        note = _comment(decision, decision.text)
        self._change(alerts, lambda alert: setattr(alert, "notes", [*alert.notes, note]))

    def _judged(self, decision: Verdict) -> tuple[int, str]:
        """Kept in the trail, also of an alert that is known no longer; of one that is known with the alert too."""
        alert = self._state.alerts.get(decision.target)
        if alert is None:
            return 0, decision.label
        self._check(decision, alert.seen_version)
        if decision.by not in alert.verdicts and len(alert.verdicts) >= _MOST_NOTES:
            raise _Refused(Outcome.TOO_MANY, f"at most {_MOST_NOTES} people judge an alert", alert.seen_version)
        verdicts = {**alert.verdicts, decision.by: decision.label}
        self._change([alert], lambda one: setattr(one, "verdicts", verdicts))
        return alert.seen_version, decision.label

    # -- silences and maintenance

    def _mute(self, decision: Silence | Maintenance) -> tuple[int, str]:
        now = self._state.now_ms
        starts = now if decision.starts_ms is None else decision.starts_ms
        if decision.ends_ms <= max(starts, now):
            raise _Refused(Outcome.OVER, "it ends before it begins" if decision.ends_ms <= starts else "it is over")
        self._room(self._state.mutes, _MOST_MUTES, "silences and maintenance windows")
        planned = isinstance(decision, Maintenance)
        if not planned and not decision.matchers:
            raise _Refused(Outcome.WRONG, "a silence needs a matcher; maintenance may be about everything")
        self._matchers(decision.matchers)
        mute = MuteRow(
            id=decision.id, by=decision.by, at_ms=decision.at_ms, matchers=decision.matchers, starts_ms=starts,
            ends_ms=decision.ends_ms, planned=planned, comment=decision.comment,
        )  # fmt: skip
        hit = [alert for alert in self._state.alerts.values() if alert.fires and hides(mute, alert)]
        if isinstance(decision, Silence):
            mute.until_worse = decision.until_worse
            mute.ceiling = max((severity_rank(alert.event.severity) for alert in hit), default=1)
            mute.warn_ms = mute.ends_ms - min(_WARNED_BEFORE_MS, (mute.ends_ms - starts) // 4)
        self._state.mutes[mute.id] = mute
        self._state.show_mute(mute)
        return mute.seen_version, f"{len(hit)} firing alerts match"

    def _expire(self, decision: ExpireSilence) -> tuple[int, str]:
        mute = self._state.mutes.get(decision.silence)
        if mute is None:
            raise _Refused(Outcome.UNKNOWN, "no silence or maintenance window has this id, or it is over")
        self._check(decision, mute.seen_version)
        self.end(mute)
        return mute.seen_version, ""

    def end(self, mute: MuteRow) -> None:
        """The silence or maintenance window is over."""
        mute.seen_version += 1
        del self._state.mutes[mute.id]
        self._state.show_mute(mute, gone=True)
        self._grouping.look_again()

    def _matchers(self, matchers: tuple[str, ...]) -> None:
        try:
            compiled(matchers)
        except MatcherError as error:
            raise _Refused(Outcome.WRONG, str(error)) from None

    @staticmethod
    def _room(table: Sized, most: int, what: str) -> None:
        if len(table) >= most:
            raise _Refused(Outcome.TOO_MANY, f"there are {most:,} {what}; end some first")

    # -- subscribers and watchlists

    def _subscribe(self, decision: Subscribe) -> tuple[int, str]:
        known = self._state.subscriptions.get(decision.name)
        version = self._check_named(decision, known)
        if known is None:
            self._room(self._state.subscriptions, _MOST_SUBSCRIPTIONS, "subscriptions")
        if decision.channel not in self._routing.policy.receivers:
            names = ", ".join(sorted(self._routing.policy.receivers)) or "none"
            raise _Refused(Outcome.WRONG, f"no receiver is called {decision.channel!r}; there are {names}", version)
        if problem := self._address_problem(decision):
            raise _Refused(Outcome.WRONG, problem, version)
        try:
            route = self._routing.subscribe(decision)
        except (MatcherError, ValueError) as error:
            raise _Refused(Outcome.WRONG, str(error), version) from None
        self._grouping.welcome(route, self._drop_groups(route.key))
        row = SubscriptionRow(wish=decision, seen_version=version + 1)
        self._state.subscriptions[decision.name] = row
        self._show(ViewKind.SUBSCRIPTION, decision.name, row.seen_version, row)
        return row.seen_version, ""

    def _address_problem(self, wish: Subscribe) -> str:
        """Why the receiver cannot deliver to the subscriber's own address; empty where it can, or there is none."""
        addressed = self._routing.policy.addressed
        if not wish.address or wish.channel in addressed:
            return ""
        others = (
            f"take one that sends e-mail: {', '.join(sorted(addressed))}" if addressed else "none here sends e-mail"
        )
        return f"{wish.channel!r} sends to the operator's address alone; leave the address out ({others})"

    def _unsubscribe(self, decision: Unsubscribe) -> tuple[int, str]:
        known = self._state.subscriptions.get(decision.name)
        if known is None:
            raise _Refused(Outcome.UNKNOWN, "no subscriber has this name")
        self._check(decision, known.seen_version)
        self._drop_groups(self._routing.unsubscribe(decision.name).key)
        del self._state.subscriptions[decision.name]
        self._show(ViewKind.SUBSCRIPTION, decision.name, known.seen_version + 1, None)
        return known.seen_version + 1, ""

    def _drop_groups(self, route: str) -> dict[str, Member]:
        """Returns by alert what the subscriber was sent about it."""
        sent: dict[str, Member] = {}
        for group in [one for one in self._state.groups.values() if one.route == route]:
            sent |= {name: one for name, one in group.members.items() if one.told and not one.left}
            self._grouping.drop(group)
        return sent

    def _watch(self, decision: Watch) -> tuple[int, str]:
        known = self._state.watchlists.get(decision.name)
        version = self._check_named(decision, known)
        if known is None:
            self._room(self._state.watchlists, _MOST_WATCHLISTS, "watchlists")
        row = WatchlistRow(
            name=decision.name, by=decision.by, at_ms=decision.at_ms, body=decision.body, seen_version=version + 1
        )
        self._state.watchlists[decision.name] = row
        self._show(ViewKind.WATCHLIST, decision.name, row.seen_version, row)
        return row.seen_version, ""

    def _unwatch(self, decision: Unwatch) -> tuple[int, str]:
        known = self._state.watchlists.get(decision.name)
        if known is None:
            raise _Refused(Outcome.UNKNOWN, "no watchlist of this name was made by a decision")
        self._check(decision, known.seen_version)
        del self._state.watchlists[decision.name]
        self._show(ViewKind.WATCHLIST, decision.name, known.seen_version + 1, None)
        return known.seen_version + 1, ""

    def _show(self, kind: ViewKind, name: str, version: int, body: msgspec.Struct | None) -> None:
        self._state.touch((SUBSCRIPTION if kind is ViewKind.SUBSCRIPTION else WATCHLIST) + name)
        self._state.effects.views.append(View(kind, name, version, body))


def _comment(decision: Decision, text: str) -> Comment:
    return Comment(decision.by, decision.at_ms, text)
