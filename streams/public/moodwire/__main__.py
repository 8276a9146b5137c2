"""`python -m moodwire` is `moodwire`."""

from __future__ import annotations

from moodwire.command import main

main()
