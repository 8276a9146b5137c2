"""The one normalisation that training and inference share.

A model has only ever seen texts that went through `normalise`, so a text must pass it before it is
tokenised, whoever calls. It is total: any `str` goes in, lone surrogates and NULs included, and what
comes out can be encoded as UTF-8.
"""

import html
import re

MAX_CHARACTERS = 2_000
"""Characters kept of a text. 96 tokens of English news are about 450 characters, so nothing that the
tokenizer would have kept is lost, and a text of 10 MB costs what a text of 2 kB costs."""

_RAW_CHARACTERS = 4 * MAX_CHARACTERS
"""Cut before the regular expressions run: links and runs of blanks may take three quarters."""

_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def normalise(text: str) -> str:
    """Returns `text` as the model knows it: no links, markup entities, control characters or runs of blanks.

    >>> normalise("Profit &amp; loss:\\n record quarter https://example.org/a")
    'Profit & loss: record quarter'
    """
    cut = text[:_RAW_CHARACTERS]
    if "&" in cut:
        cut = html.unescape(cut)
    if not (cut.isascii() and cut.isprintable()):  # most titles are, and hold nothing of the kind
        cut = _NO_TEXT.sub(" ", _INVISIBLE.sub("", cut))
    return " ".join(_URL.sub(" ", cut).split())[:MAX_CHARACTERS].rstrip()


def leak_key(text: str) -> str:
    """Returns what two texts share when one gives the other away: the normalised text without its case."""
    return normalise(text).casefold()
