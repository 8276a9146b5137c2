"""What makes two titles the same title, and what makes them near copies. Stable over processes and versions."""

from __future__ import annotations

import re
from hashlib import blake2b

from rensa import RMinHash

__all__ = ["minhash", "normal_title", "partition_key", "signature", "signature_of"]

# A number keeps its sign and currency: -5 is not 5, and $5 is not €5. Words that begin with a letter stand first, for
# speed. Nothing follows the repeats, so the longest match is taken at once and nothing is tried twice.
_WORD = re.compile(r"[^\W\d_][^\W_]*(?:[.,][0-9]+)*|(?:(?<!\w)[-+−]?[$€£¥]?(?=\d))?[^\W_]+(?:[.,][0-9]+)*")
# "… - Daily Planet", "… | Daily Planet": at most four capitalised words without a digit, after a spaced dash or a bar.
_PUBLISHER = re.compile(r"\s+(?:[-–—]|\|)\s+[A-Z][^\s\d]*(?:\s+[A-Z&][^\s\d]*){0,3}$")
# "UPDATE 2-", "BREAKING:", "Exclusive: ": capitals, perhaps a number, then a dash or a colon.
_PREFIX = re.compile(r"^(?:(?:[A-Z]{4,}|[A-Z][a-z]{5,})(?:\s\d{1,2})?\s?[-–—:]\s?)(?=\S)")
_LETTERS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_CJK = re.compile(f"[{_LETTERS}]")
# In a title with such letters each of them is a word; numbers and words of other letters between them stay whole.
_MIXED_WORD = re.compile(
    rf"[{_LETTERS}]|[^\W\d_{_LETTERS}][^\W_{_LETTERS}]*(?:[.,][0-9]+)*"
    rf"|(?:(?<![^\W{_LETTERS}])[-+−]?[$€£¥]?(?=\d))?[^\W_{_LETTERS}]+(?:[.,][0-9]+)*"
)
_DASHES = ("-", "–", "—", "|")
_SHORTEST = 4
"""Words that must be left after a suffix was taken off: "Apple - a buy" is no title with a publisher."""

PERMUTATIONS = 24
_SEED = 42


def normal_title(title: str) -> list[str]:
    """The title's words in lower case, without punctuation, a publisher at the end or a wire's prefix."""
    stripped = _PREFIX.sub("", title, count=1)
    if any(dash in stripped for dash in _DASHES):
        stripped = _PUBLISHER.sub("", stripped, count=1)
    words = _words(stripped)
    return words if len(words) >= _SHORTEST or stripped == title else _words(title)


def _words(text: str) -> list[str]:
    lowered = text.casefold().replace("’", "'").replace("'s ", " ")
    if not lowered.isascii() and _CJK.search(lowered):
        return [word for word in _MIXED_WORD.findall(lowered) if word[-1].isalnum()]
    return _WORD.findall(lowered)


def signature(title: str) -> int:
    """63 bits, equal for copies of a title; titles that differ in a number or a name differ."""
    return signature_of(normal_title(title))


def signature_of(words: list[str]) -> int:
    """The signature of a normal title."""
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "big") >> 1


def minhash(words: list[str]) -> list[int]:
    """`PERMUTATIONS` MinHash values of the title's words (Broder 1997)."""
    sketch = RMinHash(num_perm=PERMUTATIONS, seed=_SEED)
    sketch.update(words)
    digest: list[int] = sketch.digest()
    return digest


def partition_key(title: str) -> bytes:
    """One MinHash value of the title: copies meet in a partition with the likelihood of their similarity."""
    sketch = RMinHash(num_perm=1, seed=_SEED)
    sketch.update(normal_title(title))
    return int(sketch.digest()[0]).to_bytes(4, "big")
