"""The file of a list of behaviour tests, as it is written: what it may hold, and what its types cannot say.

After CheckList (Ribeiro et al. 2020, arXiv 2005.04118), four forms of a test, each a mapping in a kind's `tests`:

    {text, expect}        the label must be one of `expect`
    {same, within}        all texts must get one label, and tones that differ by at most `within`
    {template, names}     the same for a sentence in which {} is each of the names
    {worse, better}       the second text's tone must be the higher one
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["BehaviourFile", "WrittenKind", "WrittenSlice", "WrittenTest"]

_Mistake = tuple[tuple[str | int, ...], str]
_FORMS = {
    "text": frozenset({"text", "expect"}),
    "same": frozenset({"same", "within"}),
    "template": frozenset({"template", "names", "within"}),
    "worse": frozenset({"worse", "better"}),
}
_NEEDED = {"text": "expect", "template": "names", "worse": "better"}


class WrittenTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test: the keys of one form."""

    text: str | None = None
    expect: str | tuple[str, ...] | None = None
    same: tuple[str, ...] | None = None
    within: Annotated[float, Meta(ge=0, le=2)] | None = None
    template: str | None = None
    names: tuple[str, ...] | None = None
    worse: str | None = None
    better: str | None = None

    def mistakes(self) -> Iterator[_Mistake]:
        """Yields which keys are too many or missing for the form."""
        given = [key for key in self.__struct_fields__ if getattr(self, key) is not None]
        form = next((key for key in _FORMS if key in given), None)
        if form is None:
            yield (), "is no test; write text and expect, same, template and names, or worse and better"
            return
        for key in [key for key in given if key not in _FORMS[form]]:
            yield (key,), f"does not go with '{form}'; leave one of them out"
        needed = _NEEDED.get(form)
        if needed is not None and needed not in given:
            yield (form,), f"needs the key '{needed}' beside it; write it"
        for key in ("expect", "same", "names"):
            if getattr(self, key) == ():
                yield (key,), "is empty; list some"


class WrittenKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tests of one kind, and what they are about in a sentence."""

    about: str
    tests: Annotated[tuple[WrittenTest, ...], Meta(min_length=1)]


class WrittenSlice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a set that is measured apart: see `Slice`."""

    pattern: str = ""
    least_words: Annotated[int, Meta(ge=0)] = 0
    most_words: Annotated[int, Meta(ge=0)] = 1_000_000

    def mistakes(self) -> Iterator[_Mistake]:
        """Yields a pattern that cannot be used."""
        try:
            re.compile(self.pattern)
        except re.error as error:
            yield ("pattern",), f"is no regular expression: {error}; correct it"


class BehaviourFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str
    head: str
    kinds: dict[str, WrittenKind]
    values: dict[str, Annotated[float, Meta(ge=-1, le=1)]] = {}
    slices: dict[str, WrittenSlice] = {}

    def mistakes(self) -> Iterator[_Mistake]:
        """Yields what is empty, and tests that compare tones of labels without places."""
        if not self.kinds:
            yield ("kinds",), "is empty; list kinds of tests"
        if not self.values:
            for name, kind in self.kinds.items():
                for number, test in enumerate(kind.tests):
                    if test.text is None:
                        keys = ("kinds", name, "tests", number)
                        yield keys, "compares tones; give each label's place from -1 to 1 under `values`"
                        return
