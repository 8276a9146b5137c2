"""Windows in, alerts and notifications out. Knows no broker, no archive and no classifier.

    mentions ──► StreamState (all series of a partition) ───────────┐
        └──────► Copies ──► SeriesState (one series) ── close_tick ─┴──► AlertEvent ──► delivery

    config     the rules of a profile, checked           clock      ticks, hours of the week, forgetting
    sections   their keys and defaults                   checks     what must fit together
    memory     a mention, and the keys of copies         series     panes and episodes, a row per signal and series
    copies     copies of a story count once (copies_rows, copies_index: how they are kept)
    stream     pooled history per kind, a row per signal profile    rhythm, level and tests of a kind
    baseline   what a series expects of itself           detectors  exact tails
    rules      evidence and judgement, with reasons      episode    firing, escalated, resolved
    ruleset    which rules look at a series              noted      items as information; alerts of removed rules
    rule_file  the rules of a user as they are written   user_rules on top of the profile's
    schedule   when a rule is on
    evaluate   one tick of one series                    records    the wire shape of an alert
    backoff    how long a failed attempt waits
    rows       stored state, read or refused             wording    texts for people, by language (messages/)
    matchers   which labels an alert must have           judge/     which messages people get: routes, groups, decisions

A signal is anything that an item hits or does not: the core counts hits of total and knows no label. Everything here
is a pure function of the mentions and ticks that went in; time is an argument.
"""

from __future__ import annotations

from alerts.clock import tick_of
from alerts.config import AlertConfig
from alerts.copies import Copies, Counted
from alerts.errors import AlertsError, ConfigError, DeliveryError, StateError
from alerts.evaluate import Finding, close_tick, explain
from alerts.memory import Heard, Hits, Mention
from alerts.records import AlertEvent, Headline, TopItem
from alerts.rules import Evidence, Reason
from alerts.ruleset import kind_of
from alerts.series import SeriesState
from alerts.stream import StreamState
from alerts.wording import Wording

__all__ = [
    "AlertConfig",
    "AlertEvent",
    "AlertsError",
    "ConfigError",
    "Copies",
    "Counted",
    "DeliveryError",
    "Evidence",
    "Finding",
    "Headline",
    "Heard",
    "Hits",
    "Mention",
    "Reason",
    "SeriesState",
    "StateError",
    "StreamState",
    "TopItem",
    "Wording",
    "close_tick",
    "explain",
    "kind_of",
    "tick_of",
]
