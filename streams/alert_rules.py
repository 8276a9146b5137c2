"""The alert rules that the settings ask for: the profile's, with the user's beside them.

settings.profile ─► profile.rules ─┐
settings.rules ───► RulesDocument ─┴─► AlertConfig
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts import AlertConfig
from alerts.rule_file import RulesDocument
from alerts.ruleset import AlertRule
from alerts.user_rules import with_rules
from streams.settings import Settings
from streams.text.profile import Profile, load_profile
from streams.text.user_rules import load_rules, with_both

__all__ = ["alert_config", "profile_of", "rules_of"]


def rules_of(settings: Settings, profile: Profile) -> RulesDocument:
    """Returns the user's rules, without a file none. Raises `SettingsError`."""
    return load_rules(settings.rules, profile) if settings.rules is not None else RulesDocument()


def profile_of(settings: Settings) -> Profile:
    """Returns the profile, with the series that the user's rules combine. Raises `SettingsError`."""
    profile = load_profile(settings.profile)
    return with_both(profile, rules_of(settings, profile))


def alert_config(
    settings: Settings,
    profile: Profile,
    document: RulesDocument | None = None,
    retired: Iterable[AlertRule] = (),
) -> AlertConfig:
    """The profile's alert rules and the user's, with the lateness of the settings; without `signals` all are watched.

    The user's are those of the file in the settings, or of the document; `retired` are such as were removed.
    A partition of mentions knows its own series alone: it spends its part of the false alarms that are accepted.
    """
    rules = profile.rules
    if settings.lateness_seconds is not None:
        rules = msgspec.structs.replace(rules, lateness_seconds=settings.lateness_seconds)
    config = AlertConfig.of(rules)
    config = with_rules(config, rules_of(settings, profile) if document is None else document, retired)
    accepted = config.false_alarms_per_week / settings.mentions_partitions
    return msgspec.structs.replace(config, false_alarms_per_week=accepted, wording=profile.wording)
