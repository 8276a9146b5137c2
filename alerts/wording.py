"""Numbers as people read them. Pure text, no terminal: shared by the core's reasons and by delivery.

>>> window_text(7200), number_text(0.0312), p_text(4.2e-05)
('2 h', '0.03', '4e-05')
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["day_text", "evidence_text", "number_text", "p_text", "time_text", "window_text"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def window_text(seconds: int) -> str:
    """`15 min`, `2 h`, `36 h`."""
    if seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def number_text(value: float) -> str:
    """An expected count: two significant digits below 10, whole numbers above."""
    if value >= 10:
        return f"{value:.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return f"{value:.1g}" if value > 0 else "0"


def p_text(p_value: float) -> str:
    """One significant digit; `< 1e-99` where more would be noise."""
    if p_value < 1e-99:
        return "< 1e-99"
    return f"{p_value:.2f}" if p_value >= 0.01 else f"{p_value:.0e}"


def time_text(at_ms: int) -> str:
    """`2023-03-10 10:14 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def evidence_text(
    rule: str,
    negative: int,
    total: int,
    seconds: int,
    expected: float,
    interval: tuple[int, int],
    p_value: float,
) -> str:
    """`7 negative in 2 h, expected 0.3 (0 to 2), p 4e-05`; for a share, the items too."""
    counted = f"{negative} of {total} negative" if rule == "share" else f"{negative} negative"
    band = f"{number_text(expected)} ({interval[0]} to {interval[1]})"
    return f"{counted} in {window_text(seconds)}, expected {band}, p {p_text(p_value)}"


def day_text(at_ms: int) -> str:
    """`10 Mar 10:14`, UTC; English month names whatever the locale."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.day:2d} {_MONTHS[at.month - 1]} {at:%H:%M}"
