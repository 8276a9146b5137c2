"""Sentences whose sentiment their grammar settles: a loss that narrows is good, a profit that shrinks is not.

English ones. Labelled news holds few of them, and words like loss or debt count as bad wherever they occur. So a
student may be given some that are made here, of a thing, whether less of it is good, and a verb, whether it tells of
less:

    less of a bad thing, more of a good one: positive          more of a bad thing, less of a good one: negative

With them go the same turn in other clothes (smaller than feared, avoids default), and a company of the training texts.
"""

import random
from collections.abc import Mapping, Sequence

from models.spans import Span
from models.text import normalise
from models.training.data.example import EntityLabel, Example
from models.training.data.heads import HeadSpec

__all__ = ["SOURCE", "sentences"]

SOURCE = "made sentences"

NEGATIVE, POSITIVE = "negative", "positive"

#: (a thing, whether its name is a plural)
_BAD = (
    ("loss", False), ("net loss", False), ("quarterly loss", False), ("operating loss", False),
    ("full-year loss", False), ("losses", True), ("debt", False), ("net debt", False), ("debt burden", False),
    ("costs", True), ("expenses", True),
    ("bad loans", True), ("loan defaults", True), ("default rate", False), ("write-downs", True), ("impairments", True),
    ("provisions for bad loans", True), ("customer churn", False), ("outflows", True), ("client withdrawals", True),
    ("trade deficit", False), ("budget deficit", False), ("pension deficit", False), ("jobless claims", True),
    ("unemployment", False), ("layoffs", True), ("complaints", True), ("recalls", True), ("delays", True),
    ("vacancies in its offices", True), ("bankruptcies", True),
    ("delinquencies", True), ("cash burn", False), ("supply bottlenecks", True), ("fines", True),
)  # fmt: skip
_GOOD = (
    ("profit", False), ("net profit", False), ("quarterly profit", False), ("operating income", False),
    ("earnings", True),
    ("revenue", False), ("sales", True), ("same-store sales", True), ("margins", True), ("gross margin", False),
    ("cash flow", False), ("orders", True), ("bookings", True), ("subscriber numbers", True), ("market share", False),
    ("exports", True), ("production", False), ("deliveries", True), ("demand", False), ("deposits", True),
    ("trade surplus", False), ("retail sales", True), ("inflows", True), ("traffic", False), ("dividend", False),
)  # fmt: skip
#: (singular, plural)
_LESS = (
    ("narrows", "narrow"), ("shrinks", "shrink"), ("falls", "fall"), ("drops", "drop"), ("declines", "decline"),
    ("eases", "ease"), ("decreases", "decrease"), ("halves", "halve"), ("slides", "slide"), ("comes down", "come down"),
    ("tumbles", "tumble"), ("slows", "slow"),
)  # fmt: skip
_MORE = (
    ("widens", "widen"), ("grows", "grow"), ("rises", "rise"), ("jumps", "jump"), ("climbs", "climb"),
    ("surges", "surge"),
    ("increases", "increase"), ("doubles", "double"), ("swells", "swell"), ("soars", "soar"), ("mounts", "mount"),
    ("goes up", "go up"),
)  # fmt: skip
_ABOUT_DEFICITS = {"narrows", "widens", "swells", "mounts"}  # said of losses, deficits and debts, not of sales
_CUTS = ("cuts", "reduces", "trims", "halves", "slashes", "lowers")
_LIFTS = ("raises", "lifts", "boosts", "increases", "grows", "doubles")
_DISASTERS = (
    "bankruptcy", "default", "delisting", "a strike", "a shutdown", "a credit downgrade", "insolvency", "a recall",
    "a liquidity crunch", "a covenant breach", "a rights issue", "a hostile break-up", "a fine", "a trading halt",
)  # fmt: skip
_ESCAPES = ("avoids", "averts", "escapes", "staves off", "sidesteps", "wards off")
_MEETS = ("faces", "nears", "warns of", "slides towards", "is on the brink of", "braces for")
_BY = (
    "", "", "", " by {n}%", " {n} pct", " to ${to} mln from ${was} mln", " to {n} million euros",
    " in the third quarter", " in Q{quarter}", " for a second straight year",
    " for third quarter in a row", " from a year ago", " in 20{year}",
)  # fmt: skip


def sentences(
    count: int,
    heads: Mapping[str, HeadSpec],
    names: Sequence[str],
    chance: random.Random,
) -> list[Example]:
    """Returns `count` examples, all different, half of them negative and half positive.

    Each carries its label for every text head and entity head that knows both; a head with other labels learns
    nothing of them. Fewer come back when so many different ones cannot be made.
    """
    judging = {
        name: {label: head.labels.index(label) for label in (NEGATIVE, POSITIVE)}
        for name, head in heads.items()
        if head.kind != "names" and {NEGATIVE, POSITIVE} <= set(head.labels)
    }
    made: dict[str, Example] = {}
    for _ in range(4 * count):
        if len(made) == count:
            break
        name = chance.choice(names) if names and chance.random() < 0.8 else ""
        text, label = _sentence(name, chance, NEGATIVE if len(made) % 2 else POSITIVE)
        made.setdefault(text, _example(text, name, label, judging, heads))
    return list(made.values())


def _example(
    text: str, name: str, label: str, judging: Mapping[str, Mapping[str, int]], heads: Mapping[str, HeadSpec]
) -> Example:
    start = text.find(name) if name else -1
    spans = (Span(start, start + len(name)),) if start >= 0 else ()
    return Example(
        text=text,
        labels={head: numbers[label] for head, numbers in judging.items() if heads[head].kind == "text"},
        entities={
            head: tuple(EntityLabel(span, numbers[label]) for span in spans)
            for head, numbers in judging.items()
            if heads[head].kind == "entity" and spans
        },
        names=spans if name else None,
        source=SOURCE,
        settled=True,
    )


def _sentence(name: str, chance: random.Random, label: str) -> tuple[str, str]:
    good = label == POSITIVE
    form = chance.choice((_moves, _moves, _moves, _is_moved, _against_hopes, _against_hopes, _disaster))
    text = normalise(form(name, chance, good=good))
    return (text if name and text.startswith(name) else text[:1].upper() + text[1:]), label


def _moves(name: str, chance: random.Random, *, good: bool) -> str:
    """A thing grows or shrinks."""
    bad_thing = chance.random() < 0.6
    less = bad_thing == good
    thing, plural = chance.choice(_BAD if bad_thing else _GOOD)
    verbs = [pair for pair in (_LESS if less else _MORE) if bad_thing or pair[0] not in _ABOUT_DEFICITS]
    verb, by = chance.choice(verbs)[plural], _by(chance, less=less)
    if not name:
        return f"{thing} {verb}{by}"
    return chance.choice((
        f"{name} {thing} {verb}{by}",
        f"{name}'s {thing} {verb}{by}",
        f"{name} says its {thing} {verb}{by}",
        f"{name}: {thing} {verb}{by}",
        f"{thing} at {name} {verb}{by}",
        f"{name} reports that {thing} {verb}{by}",
    ))  # fmt: skip


def _by(chance: random.Random, *, less: bool) -> str:
    low, high = chance.randint(2, 97), chance.randint(98, 400)
    to, was = (low, high) if less else (high, low)
    quarter, year = chance.randint(1, 4), chance.randint(15, 29)
    return chance.choice(_BY).format(n=low, to=to, was=was, quarter=quarter, year=year)


def _is_moved(name: str, chance: random.Random, *, good: bool) -> str:
    """A company makes a thing larger or smaller."""
    bad_thing = chance.random() < 0.6
    thing, _ = chance.choice(_BAD if bad_thing else _GOOD)
    less = bad_thing == good
    return f"{name or 'Company'} {chance.choice(_CUTS if less else _LIFTS)} {thing}{_by(chance, less=less)}"


def _against_hopes(name: str, chance: random.Random, *, good: bool) -> str:
    """A thing is more or less than was thought."""
    bad_thing = chance.random() < 0.6
    thing, plural = chance.choice(_BAD if bad_thing else _GOOD)
    less = bad_thing == good
    size = chance.choice(("smaller", "lower", "less")) if less else chance.choice(("larger", "higher", "more"))
    than = chance.choice(("than expected", "than forecast", "than feared" if bad_thing else "than hoped"))
    whose = f"{name} {thing}" if name else thing
    be = chance.choice(
        ("are" if plural else "is", "were" if plural else "was", "come in" if plural else "comes in", "")
    )
    if bad_thing and good and chance.random() < 0.4:
        return f"{whose} {be} {chance.choice(('not as bad as', 'less bad than', 'less severe than'))} feared"
    return f"{whose} {be} {size} {than}"


def _disaster(name: str, chance: random.Random, *, good: bool) -> str:
    """A company meets its end, or does not."""
    who, what = name or "Company", chance.choice(_DISASTERS)
    if good and chance.random() < 0.25:
        return f"{who} {chance.choice(('no longer expects', 'no longer faces', 'is out of danger of'))} {what}"
    tail = chance.choice(("", "", " after deal with lenders" if good else " as lenders pull out", " this year"))
    return f"{who} {chance.choice(_ESCAPES if good else _MEETS)} {what}{tail}"
