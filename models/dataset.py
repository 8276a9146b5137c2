"""The description of a labelled data set: what its file is called, and what its columns and labels mean.

```yaml
name: my-headlines
licence: MIT
kind: text                          # a label a text; `entities`: a label for each company that a text names
head: sentiment
head_labels: [negative, neutral, positive]
text: headline                      # the column of the text
label: verdict                      # the column of the label
label_map: {"-1": negative, "0": neutral, "1": positive}
splits: {train: my/train.csv, test: my/test.csv}    # or {all: my/all.csv, test_share: 0.1}
```

With `test_share` the file is split by a hash of the text, so the same texts are held out on every machine. The structs
say what such a file may hold; whoever reads one reports their `mistakes` with lines, as `streams.userfiles` does.
`models.training.data.dataset` reads the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["DataSet", "Splits"]

_Share = Annotated[float, Meta(ge=0, lt=1)]
_Weight = Annotated[float, Meta(gt=0)]
_Mistake = tuple[tuple[str | int, ...], str]


class Splits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the parts, relative to the data folder; or one file, of which `test_share` is held out."""

    train: str | None = None
    test: str | None = None
    all: str | None = None
    test_share: _Share = 0.0

    def mistakes(self) -> Iterator[_Mistake]:
        """Yields what does not fit together."""
        if bool(self.all) == bool(self.train):
            yield (), "give either `train` (and `test`), or `all` with `test_share`"
        elif self.test_share and not self.all:
            yield ("test_share",), "divides the file of `all`; with `train` name the file of `test`"


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A description as read; see the module for its keys."""

    name: str
    licence: str
    source: str = ""
    kind: Literal["text", "entities"] = "text"
    head: str
    head_labels: tuple[str, ...]
    text: str = "text"
    label: str
    label_map: dict[str, str]
    splits: Splits
    names: bool = False
    """Whether the entities of a text are all its names, so that they teach the head that finds names."""
    title_head: str | None = None
    """The text head that learns from texts whose entities all have one verdict; its labels are `head_labels`."""
    weight: _Weight = 1.0
    title_weight: _Weight = 1.0

    def mistakes(self) -> Iterator[_Mistake]:
        """Yields what does not fit together; those of `splits` are its own."""
        if len(set(self.head_labels)) < max(2, len(self.head_labels)):
            yield ("head_labels",), "list at least two labels, each once"
        labels = ", ".join(self.head_labels)
        for raw, label in self.label_map.items():
            if label not in self.head_labels:
                yield ("label_map", raw), f"'{label}' is no label of the head; take one of {labels}"
        if self.kind == "text":
            for key in [key for key in ("names", "title_head") if getattr(self, key)]:
                yield (key,), "is for `kind: entities`; leave it out"

    def number(self, raw: str) -> int | None:
        """Returns the number of a label as the file writes it; None when the map does not know it."""
        mapped = self.label_map.get(raw)
        return None if mapped is None else self.head_labels.index(mapped)
