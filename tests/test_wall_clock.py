"""The wall clock is read in one place, so that everything else can be given a time."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READERS = {
    "streams/wall_clock.py",
    "streams/transport/kafka/lease.py",  # asks two clocks at once, to notice a machine that slept
}


def test_nothing_else_reads_the_wall_clock() -> None:
    sources = [path for name in ("alerts", "models", "streams") for path in (ROOT / name).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT))
        for path in sources
        if any(call in path.read_text("utf-8") for call in ("time.time(", "time.time_ns(", "datetime.now("))
    }
    assert found == READERS
