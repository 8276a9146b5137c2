"""Where a profile meets its classifiers: heads with other labels, and what is counted by a head that none answers.

    profile.yaml: heads, signals, series ─┐
    labels by head of each classifier    ─┴─► mistakes, with file, line and fix

A head is scored by the labels that the profile declares. With one too few the largest of the others would be taken, for
a text of which the classifier says neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from streams.text.heads import Head, Judges
from streams.text.profile import Profile
from streams.userfiles import Mistake, read_file, suggestion

__all__ = ["Answers", "check_answers", "label_mistakes"]

Labels = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier answers: the labels of each head that judges a text, and of each that judges an entity."""

    name: str
    text: Labels
    entity: Labels

    def to(self, head: Head) -> Labels:
        """Those of the heads that judge the same as `head`."""
        return self.entity if head.judges is Judges.ENTITY else self.text


def check_answers(profile: Profile, classifiers: Iterable[Answers]) -> None:
    """Raises `WrongFile` naming each place of profile.yaml that does not fit the classifiers of its languages.

    A profile without any fits: its items are archived unscored.
    """
    known = list(classifiers)
    found = [mistake for one in known for mistake in label_mistakes(profile.heads, one)]
    if known:
        found += _unanswered(profile, known)
    if found:
        file = read_file(profile.folder / "profile.yaml")
        for keys, text in dict.fromkeys(found):
            file.problem(keys, text)
        file.refuse()


def label_mistakes(heads: Mapping[str, Head], classifier: Answers) -> Iterator[Mistake]:
    """Yields where a head declares other labels than the classifier, if that has the head, answers."""
    for name, head in heads.items():
        answered = classifier.to(head).get(name)
        if answered is None or not head.labels:
            continue
        keys, who = ("heads", name, "labels"), classifier.name
        if extra := [label for label in head.labels if label not in answered]:
            fix = f"take {', '.join(answered)}, or another classifier"
            yield keys, f"{who} does not answer {', '.join(extra)}; {fix}"
        if lacking := [label for label in answered if label not in head.labels]:
            yield keys, f"{who} also answers {', '.join(lacking)}; add them: a text may be none of the others"


def _unanswered(profile: Profile, classifiers: Sequence[Answers]) -> Iterator[Mistake]:
    """Yields each signal and kind of series of which no classifier answers the head.

    A head that judges entities may be absent: the signal's other head speaks then.
    """
    counted = [(("signals", name, "head"), one.head) for name, one in profile.signals.items()]
    counted += [(("series", name, "head"), kind.head) for name, kind in profile.series.items() if kind.head]
    for keys, head in counted:
        answered = {name for one in classifiers for name in one.to(profile.heads[head])}
        if head not in answered:
            yield keys, f"no classifier of the profile answers {head!r}; {suggestion(head, sorted(answered))}"
