"""Every setting: where it is written, what it may be, and what people see of it.

options of a command ──┐
environment MOODWIRE_… ─┼─► Settings ─► contradictions ─► the program
moodwire.yaml ──────────┤
defaults ───────────────┘

`fields` has the settings, `places` where each is written, `file` reads moodwire.yaml, `loading` puts the sources
together, `documents` writes the commented file, README's table and the example of compose's variables.
"""

from __future__ import annotations

from streams.settings.fields import Settings
from streams.settings.loading import load_settings

__all__ = ["Settings", "load_settings"]
