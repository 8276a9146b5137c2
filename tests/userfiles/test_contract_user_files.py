"""One contract for all files that users write: every mistake is named at once, with its line, its key and the fix."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.feeds.feedlist import load_feeds
from streams.feeds.fieldspec import load_fieldmap
from streams.lifecycle.behaviour import read_behaviour
from streams.lifecycle.training_code import read_datasets
from streams.settings import Settings, load_settings
from streams.text.gazetteer import load_gazetteer
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules
from streams.text.watchlists import load_watchlists


def settings_of(path: Path) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MOODWIRE_")]:
            patch.delenv(name)
        patch.setenv("MOODWIRE_CONFIG", str(path))
        return load_settings()


PROFILE = """name: p
default_language: en
languages: {en: {}}
heads: {mood: {labels: [bad, good]}}
signals: {bad: {head: mood, labels: [bad]}}
series: {all: {of: everything}}
"""
RULES = "kinds: {all: {budget_share: 1}}\n"


RULE = "rules:\n  - name: a\n    series: [entity/A]\n"
FINANCE = load_profile("finance")


def profile_of(path: Path) -> Any:
    """The profile of which this is one of the two files; the other one is right."""
    for name, text in (("profile.yaml", PROFILE), ("alerts.yaml", RULES)):
        if name != path.name and path.parent.exists():
            (path.parent / name).write_text(text)
    return load_profile(str(path.parent))


DATA_SET = """name: a
licence: MIT
head: mood
head_labels: [bad, good]
label: verdict
label_map: {0: bad, 1: good}
splits: {train: a.csv}
"""
TESTS = """name: a
head: mood
values: {bad: -1, good: 1}
kinds:
  plain:
    about: Lines.
    tests:
      - {text: x, expect: bad}
      - {worse: x, better: y}
"""


@dataclass(frozen=True)
class Kind:
    """A kind of file: one that is right, and per mistake a text, its line and words of the error."""

    name: str
    load: Callable[[Path], Any]
    right: str
    mistakes: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    file: str = "mine.yaml"
    may_be_empty: bool = False


KINDS = [
    Kind(
        "watchlists",
        load_watchlists,
        "watchlists:\n  - name: a\n    names: [x]\n",
        {
            "unknown key": (
                "watchlists:\n  - name: a\n    names: [x]\n    title-only: true\n",
                4,
                "mean 'title_only'?",
            ),
            "wrong type": ("watchlists:\n  - name: a\n    names: x\n", 3, "names: take a list of texts"),
            "out of range": ("watchlists: []\n", 1, "watchlists: is empty; write"),
            "not quoted": (
                "watchlists:\n  - name: a\n    tickers: [ON]\n",
                3,
                "tickers, entry 1: take a text, in quotes",
            ),
        },
    ),
    Kind(
        "feeds",
        load_feeds,
        "feeds:\n  - url: http://a\n",
        {
            "unknown key": ("feeds:\n  - url: http://a\n    nmae: b\n", 3, "mean 'name'?"),
            "wrong type": ("feeds:\n  - url: [http://a]\n", 2, "url: take a text, not a list"),
            "out of range": (
                "feeds:\n  - url: http://a\n    interval_seconds: 9\n",
                3,
                "interval_seconds: take a number of at least 10, not '9'",
            ),
            "no number": ("feeds:\n  - url: http://a\n    interval_seconds: .nan\n", 3, "take a number of at least 10"),
        },
    ),
    Kind(
        "gazetteer",
        load_gazetteer,
        "entities:\n  - id: A\n    name: B\n",
        {
            "unknown key": ("entities:\n  - id: A\n    name: B\n    ticker: [A]\n", 4, "mean 'tickers'?"),
            "wrong type": ("entities:\n  - id: A\n    name: B\n    needs_evidence: maybe\n", 4, "true or false"),
            "out of range": ("entities:\n  - id: A\n    name: ' '\n", 2, "must not be empty"),
            "twice": ("entities:\n  - id: A\n    name: B\n  - id: A\n    name: C\n", 4, "'A' is used twice"),
        },
    ),
    Kind(
        "field map",
        load_fieldmap,
        "title: headline\n",
        {
            "unknown key": (
                "title: headline\npublished:\n  feild: ts\n",
                3,
                "published: there is no key 'feild'; did you",
            ),
            "wrong type": ("title:\n  field: {a: b}\n", 2, "title.field: take a text or a list of texts, not keys"),
            "out of range": (
                "published: {field: ts, timezone: Mars}\n",
                1,
                "published.timezone: unknown timezone 'Mars'",
            ),
            "no choice": (
                "extra: dorp\n",
                1,
                "extra: take drop or keep or a list of texts, not 'dorp'; did you mean 'drop'?",
            ),
        },
    ),
    Kind(
        "moodwire.yaml",
        settings_of,
        "http:\n  port: 0\n",
        {
            "unknown key": ("http:\n  prot: 0\n", 2, "unknown setting `http.prot`: did you mean `http.port`?"),
            "wrong type": ("http:\n  port: some\n", 2, "http.port='some': take a whole number from 0 to 65,535"),
            "out of range": ("http:\n  port: 70000\n", 2, "http.port=70000: take a whole number from 0 to 65,535"),
        },
        may_be_empty=True,
    ),
    Kind(
        "profile.yaml",
        profile_of,
        PROFILE,
        {
            "unknown key": (
                f"{PROFILE}title_limits: 5\n",
                7,
                "there is no key 'title_limits'; did you mean 'title_limit'?",
            ),
            "wrong type": (
                f"{PROFILE}title_limit: [5]\n",
                7,
                "title_limit: take a whole number of at least 1, not a list",
            ),
            "out of range": (
                f"{PROFILE}title_limit: 0\n",
                7,
                "title_limit: take a whole number of at least 1, not '0'",
            ),
            "no choice": (PROFILE.replace("everything", "everthing"), 6, "series.all.of: take everything, source, "),
            "unknown head": (
                PROFILE.replace("head: mood", "head: mod"),
                5,
                "bad.head: there is no 'mod'; did you mean 'mood'?",
            ),
            "unknown label": (PROFILE.replace("[bad]", "[bid]"), 5, "labels: there is no 'bid'; did you mean 'bad'?"),
        },
        file="profile.yaml",
    ),
    Kind(
        "alerts.yaml",
        profile_of,
        RULES,
        {
            "unknown key": (f"{RULES}hopseconds: 30\n", 2, "there is no key 'hopseconds'; did you mean 'hop_seconds'?"),
            "wrong type": (f"{RULES}hop_seconds: often\n", 2, "hop_seconds: take a whole number, not 'often'"),
            "out of range": (f"{RULES}hop_seconds: 4\n", 2, "hop_seconds: 4 does not divide an hour"),
            "unknown signal": (f"{RULES}signals: [bed]\n", 2, "signals: there is no 'bed'; did you mean 'bad'?"),
            "below": (f"{RULES}baseline:\n  half_life_days: 0\n", 3, "baseline.half_life_days: 0 is not above 0"),
        },
        file="alerts.yaml",
    ),
    Kind(
        "rules.yaml",
        lambda path: load_rules(path, FINANCE),
        RULE,
        {
            "unknown key": (f"{RULE}    minimum_hit: 3\n", 4, "did you mean 'minimum_hits'?"),
            "wrong type": (f"{RULE}    minimum_hits: few\n", 4, "minimum_hits: take a whole number of at least 1"),
            "out of range": (f"{RULE}    budget_share: 2\n", 4, "budget_share: take a number above 0 to 1, not '2'"),
            "no choice": (f"{RULE}    detector: volum\n", 4, "detector: take each, share or volume, not 'volum'; did"),
            "no series": ("rules:\n  - name: a\n    series: []\n", 3, "series: is empty; write"),
            "unknown kind": (RULE.replace("entity", "entty"), 3, "there is no 'entty'; did you mean 'entity'?"),
            "kind for a name": (RULE.replace("entity/A", "entity"), 3, "'entity' is a kind of series; write entity/"),
            "name of everything": (RULE.replace("entity/A", "all/x"), 3, "'all' is one series, of everything"),
            "star within": (RULE.replace("entity/A", '"entity/*A"'), 3, "one '*' may stand at the end"),
            "star of both": (RULE.replace("entity/A", '"entity/* & topic/B"'), 3, "what '&' joins are names"),
            "unknown signal": (f"{RULE}    signals: [negatve]\n", 4, "did you mean 'negative'?"),
            "window": (f"{RULE}    windows_seconds: [61]\n", 4, "61 is below a minute, above a day, or no round"),
            "window twice": (f"{RULE}    windows_seconds: [900, 900]\n", 4, "lists a length twice"),
            "severity of each": (f"{RULE}    detector: each\n    severity: warning\n", 5, "makes no test; remove it"),
            "hits of a severity": (
                f"{RULE}    severity: warning\n    critical_hits: 2\n",
                5,
                "critical_hits: has no effect beside `severity: warning`; remove one of the two",
            ),
            "ratio of a severity": (
                f"{RULE}    critical_ratio: 2\n    severity: critical\n",
                4,
                "has no effect beside",
            ),
            "rate of volume": (f"{RULE}    at_most_per_hour: 3\n", 4, "is for `detector: each`"),
            "label": (f"{RULE}    labels: {{team-name: x}}\n", 4, "is no name of a label"),
            "label of all": (f"{RULE}    labels: {{severity: x}}\n", 4, "every alert has this label already"),
            "label with a line break": (f'{RULE}    labels: {{team: "a\\nb"}}\n', 4, "labels.team: take one line"),
            "annotation": (f"{RULE}    annotations: {{a: {'x' * 20_000}}}\n", 4, "at most 10000 characters"),
            "name twice": (f"{RULE}  - name: a\n    series: [all]\n", 2, "2 rules are called 'a'"),
            "name of the profile's": (RULE.replace("name: a", "name: volume"), 2, "choose another name"),
            "budgets": (f"{RULE}    budget_share: 1\n", 1, "budget shares add up to 1; let them add up below 1"),
            "nothing": ("profile_rules: false\n", 1, "without rules nothing is watched"),
            "day": (f"{RULE}    schedule: {{days: [monday]}}\n", 4, "did you mean 'mon'?"),
            "hour": (f"{RULE}    schedule: {{from: '7'}}\n", 4, "'7' is no time of the day"),
            "zone": (f"{RULE}    schedule: {{time_zone: Europe/Berln}}\n", 4, "there is no time zone 'Europe/Berln'"),
            "no hours": (f"{RULE}    schedule: {{from: '07:00', to: '07:00'}}\n", 4, "is the same as `from`"),
        },
    ),
    Kind(
        "data set",
        lambda path: read_datasets([path]),
        DATA_SET,
        {
            "unknown key": (f"{DATA_SET}wieght: 1\n", 8, "there is no key 'wieght'; did you mean 'weight'?"),
            "wrong type": (f"{DATA_SET}weight: [1]\n", 8, "weight: take a number above 0, not a list"),
            "out of range": (f"{DATA_SET}weight: 0\n", 8, "weight: take a number above 0, not '0'"),
            "unknown label": (DATA_SET.replace("1: good", "1: god"), 6, "label_map.1: 'god' is no label of the head"),
            "below": (DATA_SET.replace("train: a.csv", "test: a.csv"), 7, "splits: give either `train` (and `test`)"),
        },
    ),
    Kind(
        "tests of behaviour",
        lambda path: read_behaviour(str(path)),
        TESTS,
        {
            "unknown key": (f"{TESTS}slice: {{}}\n", 10, "there is no key 'slice'; did you mean 'slices'?"),
            "wrong type": (f"{TESTS}slices: [a]\n", 10, "slices: take keys and values, not a list"),
            "out of range": (TESTS.replace("good: 1", "good: 2"), 3, "values.good: take a number from -1 to 1"),
            "half a test": (TESTS.replace(", better: y", ""), 9, "tests, entry 2: worse: needs the key 'better'"),
            "pattern": (f"{TESTS}slices: {{a: {{pattern: '('}}}}\n", 10, "a.pattern: is no regular expression"),
        },
    ),
]
MISTAKES = [(kind, *mistake) for kind in KINDS for mistake in kind.mistakes.values()]


def error_of(kind: Kind, folder: Path, content: str | bytes) -> str:
    """What is wrong with a file of this kind, with FILE in place of its path."""
    path = folder / kind.file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        kind.load(path)
    return str(caught.value).removeprefix("settings cannot be used: ").replace(str(path), "FILE")


every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


@pytest.mark.parametrize(("kind", "text", "line", "words"), MISTAKES, ids=lambda one: getattr(one, "name", None))
def test_a_mistake_is_named_with_its_line_its_key_and_the_fix(
    kind: Kind, text: str, line: int, words: str, tmp_path: Path
) -> None:
    found = error_of(kind, tmp_path, text)
    assert found.startswith(f"FILE:{line}: ")
    assert words in found


@every_kind
def test_every_kind_shows_what_the_contract_asks(kind: Kind) -> None:
    assert {"unknown key", "wrong type", "out of range"} <= set(kind.mistakes)


@every_kind
def test_a_right_file_is_read_with_a_mark_of_its_byte_order_too(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / kind.file
    path.write_text(kind.right, encoding="utf-8")
    plain = kind.load(path)
    path.write_text(kind.right, encoding="utf-8-sig")
    assert kind.load(path) == plain


@every_kind
@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_names_what_to_write(kind: Kind, text: str, tmp_path: Path) -> None:
    if kind.may_be_empty:
        (tmp_path / kind.file).write_text(text)
        kind.load(tmp_path / kind.file)
    else:
        assert error_of(kind, tmp_path, text).startswith("FILE:1: the file is empty; write keys such as ")


@every_kind
@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "5\n"])
def test_a_list_or_a_word_is_no_file(kind: Kind, text: str, tmp_path: Path) -> None:
    assert error_of(kind, tmp_path, text).startswith("FILE:1: take keys such as ")


@every_kind
def test_a_key_that_is_written_twice_is_named_with_both_lines(kind: Kind, tmp_path: Path) -> None:
    line = kind.right.count("\n") + 1
    found = error_of(kind, tmp_path, kind.right + kind.right)
    assert f"FILE:{line}: " in found
    assert "is already on line 1; keep one of them" in found


@every_kind
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a:\n\tb: c\n", "FILE:2: not YAML: found character '\\t' that cannot start any token; indent with spaces"),
        ("a: [1,\n\n", "FILE:3: not YAML"),
        ("a: b\n---\nc: d\n", "FILE:2: not YAML: but found another document"),
        ("a: b\nc: d\x07\n", "FILE:2: not YAML: character U+0007 is not allowed; remove it"),
        ("a: b\nc: *d\n", "FILE:2: not YAML: found undefined alias 'd'"),
        ("a: b\nc: \u00fc\n".encode("latin-1"), "FILE:2: not UTF-8: save the file in UTF-8"),
        ("a: b\n".encode("utf-16"), "FILE:1: not UTF-8: save the file in UTF-8"),
        (b"#" * (5 << 20), "FILE is larger than 4 MiB: "),
        ("[" * 1_500, "nested too deeply; write fewer levels"),
        ("a: &a [*a]\n", "an alias (*name) refers to a value that contains it; write the value"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{x}: &{x} [{', '.join([f'*{y}'] * 9)}]\n" for y, x in zip("abcdefgh", "bcdefghi", strict=True)),
            "FILE:1: aliases (*name) expand to over 100,000 values; write fewer",
        ),
    ],
    ids=["tab", "open", "two", "control", "alias", "latin-1", "utf-16", "huge", "deep", "cycle", "bomb"],
)
def test_what_cannot_be_read_is_named(kind: Kind, content: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in error_of(kind, tmp_path, content)


@every_kind
def test_a_file_that_is_absent_or_a_folder_is_named(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / kind.file).mkdir()
    for path in (tmp_path / kind.file, tmp_path / "absent" / kind.file):
        with pytest.raises(SettingsError, match=str(path.parent)):
            kind.load(path)


@every_kind
def test_all_mistakes_are_named_at_once(kind: Kind, tmp_path: Path) -> None:
    text = "moodwire_1: 1\n" + kind.mistakes["wrong type"][0] + "moodwire_2: 2\n"
    found = error_of(kind, tmp_path, text)
    lines = [int(part.partition(":")[0]) for part in found.split("FILE:") if part]
    assert sorted(lines) == [1, kind.mistakes["wrong type"][1] + 1, text.count("\n")]


def test_the_rules_of_alerts_name_all_values_that_make_no_sense(tmp_path: Path) -> None:
    (alerts,) = (kind for kind in KINDS if kind.name == "alerts.yaml")
    found = error_of(alerts, tmp_path, f"{RULES}hop_seconds: 0\nwarm_up_days: -1\nsignals: []\n")
    assert "FILE:2: hop_seconds: 0 " in found
    assert "FILE:3: warm_up_days: -1 is below 0" in found
    assert "FILE:4: signals: is empty; list some of bad" in found


def test_a_profile_names_the_mistakes_of_both_its_files(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(f"{PROFILE}title_limit: 0\n")
    (tmp_path / "alerts.yaml").write_text(f"{RULES}hop_seconds: 7\n")
    with pytest.raises(SettingsError, match=r"profile\.yaml:7: .*; .*alerts\.yaml:2: "):
        load_profile(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,name,aliases,tickers,needs_evidence\nA,,,,\nB,b,,,c\nB,d,,,\n", ["FILE:2: ", "FILE:3: ", "FILE:4: "]),
        (b"id,nam\nA,a\n", ["FILE:1: the columns id,name are needed"]),
        (b"", ["FILE:1: the columns id,name are needed"]),
        ("id,name\nA,\u00fc\n".encode("latin-1"), ["FILE is not UTF-8", "save the file in UTF-8"]),
    ],
)
def test_a_gazetteer_in_csv_names_its_mistakes_with_their_lines(
    content: bytes, words: list[str], tmp_path: Path
) -> None:
    found = error_of(Kind("gazetteer", load_gazetteer, "", file="mine.csv"), tmp_path, content)
    assert [word for word in words if word not in found] == []


WRITTEN = [text for kind in KINDS for text in (kind.right, *(mistake[0] for mistake in kind.mistakes.values()))]
WORDS = st.sampled_from(sorted({"<<", *re.findall(r"[a-z_]+", " ".join(WRITTEN))}))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=5), WORDS, st.dates()
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.integers(0, 3), inner, max_size=5),
    max_leaves=20,
)


@every_kind
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, changes=st.dictionaries(WORDS, DOCUMENTS, max_size=3))
def test_any_document_is_read_or_refused(kind: Kind, document: Any, changes: Any, tmp_path: Path) -> None:
    path = tmp_path / kind.file
    for content in (document, yaml.safe_load(kind.right) | changes):
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        with suppress(SettingsError):
            kind.load(path)
