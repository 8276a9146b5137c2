"""No string in the code is a label, a head, a signal, a kind of series, a language or a model of a shipped profile.

Those are data of profiles. Whole constants are compared, and the pieces of f-strings around what is filled in, both
without punctuation at their ends. Training, the sample feed and the profiles themselves are left out. What
remains has its reason here: either the word means something else there, or it is a limit that is known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from streams.text.profile import load_profile

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "streams" / "profiles"
LEFT_OUT = ("models/training", "streams/profiles", "streams/sample")

FIELD = "a field of records or of a file's format, not a kind of series"
KAFKA = "a word of Kafka's protocol"
FACET = "a facet of the board: a word of its contract, whatever head answers for it"
HEADS = "a kind of head that networks have: it judges entities"

ALLOWED = {
    ("alerts/delivery/pagerduty.py", "source"): "a field of PagerDuty's events",
    ("alerts/judge/entries.py", "watchlist"): "a watchlist that people change, not a kind of series",
    ("alerts/judge/policy.py", "all"): "which ends are messages: a word of routes.yaml",
    ("alerts/judge/routing.py", "watchlist"): "the series of a subscriber's watchlists; a profile with another name "
    "for the kind needs matchers in the subscription",
    ("alerts/wording.py", "en"): "the language of messages where a profile names none",
    ("models/artifact.py", "topic"): "users add topics: the head that `model topics` trains is called so",
    ("models/classifier.py", "entity"): HEADS,
    ("models/manifest.py", "entity"): HEADS,
    ("streams/archive/elastic/reading.py", "source"): FIELD,
    ("streams/board/reading/items.py", "entity"): FACET,
    ("streams/board/reading/items.py", "sentiment"): FACET,
    ("streams/board/reading/items.py", "source"): FIELD,
    ("streams/cli/config.py", "source"): FIELD,
    ("streams/feeds/documents/well_formed.py", "source"): "an element of Atom",
    ("streams/feeds/fieldmap.py", "source"): FIELD,
    ("streams/classifiers.py", "entity"): HEADS,
    ("streams/feeds/fieldspec.py", "entity"): FIELD,
    ("streams/feeds/fieldspec.py", "source"): FIELD,
    ("streams/feeds/guessing.py", "source"): FIELD,
    ("streams/library/scoring.py", "source"): FIELD,
    ("streams/jobs/export.py", "source"): FIELD,
    ("streams/lifecycle/feedback.py", "entity"): "before the name of an entity in a correction",
    ("streams/lifecycle/retrain.py", "entity"): HEADS,
    ("streams/lifecycle/training_set.py", "all"): "a split of a data set",
    ("streams/lifecycle/training_set.py", "source"): FIELD,
    ("streams/observe/lag.py", "topic"): KAFKA,
    ("streams/logs.py", "topic"): KAFKA,
    ("streams/receivers/channels.py", "topic"): KAFKA,
    ("streams/receivers/entries.py", "topic"): KAFKA,
    ("streams/schemas/asyncapi.py", "topic"): KAFKA,
    ("streams/schemas/json_schema.py", "topic"): KAFKA,
    ("streams/serving/control.py", "watchlist"): "the key of a watchlist that people change, in the topic control",
    ("streams/public/hatch_build.py", "all"): "pip's word for every package",
    ("streams/settings/fields.py", "finance"): "the default of MOODWIRE_PROFILE",
    ("streams/text/heads.py", "entity"): "what a head judges: a word of profile.yaml",
    ("streams/text/heads.py", "source"): "what series are made of: a word of profile.yaml",
    ("streams/text/language.py", "en"): "code of a language among those that are told apart",
    ("streams/text/watchlists.py", "all"): FIELD,
    ("streams/transport/kafka/cluster.py", "all"): KAFKA,
    ("streams/transport/kafka/cluster.py", "topic"): KAFKA,
    ("streams/transport/kafka/consumer.py", "topic"): KAFKA,
    ("streams/transport/kafka/producer.py", "all"): KAFKA,
    ("streams/transport/kafka/sender.py", "all"): KAFKA,
    ("streams/transport/kafka/topic_settings.py", "topic"): KAFKA,
    ("streams/transport/kafka/tail.py", "topic"): KAFKA,
    ("streams/transport/sqlite/tail.py", "topic"): KAFKA,
    ("streams/transport/stages.py", "topic"): KAFKA,
}


def profile_words() -> set[str]:
    """Every name that a shipped profile declares."""
    found: set[str] = set()
    for path in PROFILES.glob("*/profile.yaml"):
        profile = load_profile(path.parent.name)
        labels = {label for head in profile.heads.values() for label in head.labels}
        declared = {*profile.heads, *profile.signals, *profile.series, *profile.languages}
        found |= {profile.name, *labels, *declared, *profile.classifiers.values()}
    return found


def constants(path: Path) -> Iterator[str]:
    """Every string constant of a module, without punctuation at its ends."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.strip(" /:.,=()[]{}'\"")


def test_what_a_profile_says_is_not_in_the_code() -> None:
    words, found = profile_words(), set[tuple[str, str]]()
    assert {"negative", "entity", "en", "finance-en-minilm-int8"} <= words
    for top in ("alerts", "models", "streams"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(LEFT_OUT):
                found |= {(name, text) for text in constants(path) if text in words}
    assert found - set(ALLOWED) == set(), "data of a profile in the code: read it from the profile"
    assert set(ALLOWED) - found == set(), "allowed, but not there any more: take it off the list"


def test_pieces_of_f_strings_are_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('name = f"entity/{one}"\nlabel = "negative"\n')
    assert set(constants(module)) == {"entity", "negative"}
