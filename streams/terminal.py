"""The one place through which text reaches a terminal.

News, feeds, records, files and servers are foreign: what they say may hold escape sequences that move the cursor,
rewrite the title or hide lines, overrides of the writing direction, line breaks, and brackets that rich would take
for markup.

    visible    every such character as its escape (ESC becomes \\x1b), on one line
    foreign    the same, and safe inside a text with markup: console.print(f"[bold]{foreign(title)}[/]")
    json_line  JSON with \\u escapes where a terminal could misread it: the same document
    Terminal   a console that lets no such character out, whatever it was given
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

__all__ = ["Terminal", "foreign", "json_line", "safe_json", "visible"]

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
_FORMATS = (  # unseen: directions and their overrides, joiners, separators, annotations, tags, byte order mark
    r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_LONE = r"\ud800-\udfff"  # surrogates: no terminal can be sent one
_UNSAFE = re.compile(f"[{_CONTROLS}{_FORMATS}{_LONE}]")
_UNSAFE_IN_LINE = re.compile(f"[\t\n{_CONTROLS}{_FORMATS}{_LONE}]")
_BRACKETS = re.compile(r"(\\*)(?:(\[[a-z#/@][^\[]*?\])|\[)")
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: object) -> str:
    """`text` on one line, every control and format character as a backslash escape."""
    return _UNSAFE_IN_LINE.sub(_escaped, str(text))


def foreign(text: object) -> str:
    """`visible(text)`, with nothing in it that rich takes for markup."""
    shown = _BRACKETS.sub(_literal, visible(text))
    # An odd number of backslashes before our own next tag would escape that tag.
    return shown + "\\" * ((len(shown) - len(shown.rstrip("\\"))) % 2)


def _literal(match: re.Match[str]) -> str:
    """A bracket that rich shows: it halves the backslashes before what looks like a tag, and takes one off others."""
    backslashes, tag = match.groups()
    return f"{backslashes * 2}\\{tag}" if tag else f"{backslashes}\\["


def json_line(value: Any) -> str:
    """One JSON document without a line break, fit for a terminal too."""
    return safe_json(msgspec.json.encode(value).decode())


def safe_json(line: str) -> str:
    """The same JSON document, with \\u escapes for all that a terminal could misread."""
    return _UNSAFE.sub(_escaped_in_json, line)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_in_json(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


class Terminal(Console):
    """A console whose text holds no control and no format characters; its own colours and line breaks stay.

    The last line of defence: commands pass what is foreign through `foreign`, which keeps it on its line as well.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"emoji": False, **options})  # `:bomb:` in a headline is not ours to draw

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None and _UNSAFE.search(segment.text):
                yield Segment(_UNSAFE.sub(_escaped, segment.text), segment.style)
            else:
                yield segment
