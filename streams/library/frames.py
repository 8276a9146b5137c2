"""Records as data frames. pandas is an option: it is imported when a frame is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from streams.errors import MoodwireError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "Span", "epoch_ms", "frame_of", "milliseconds"]

Moment = str | datetime
"""A point in time as pandas reads it: `2023-03-09`, `2023-03-09 20:00+01:00`, a datetime; UTC without a zone."""

Span = str | timedelta
"""A length of time as pandas reads it: `1h`, `15min`, a timedelta."""

_MS = "_ms"


def frame_of(
    records: Iterable[Mapping[str, Any]], *, index: str | None = None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Returns a row for each record; fields of fields are columns `outer_inner`. Without records it has `columns`.

    Columns that end with `_ms` become times in UTC without that ending. Raises MoodwireError without pandas.
    """
    pandas = _pandas()
    frame = pandas.json_normalize(list(records), sep="_")
    if frame.empty and columns:
        frame = pandas.DataFrame(columns=list(columns))
    for column in [column for column in frame.columns if column.endswith(_MS)]:
        frame[column] = pandas.to_datetime(frame[column], unit="ms", utc=True)
        frame = frame.rename(columns={column: column.removesuffix(_MS)})
    return frame.set_index(index) if index is not None and index in frame.columns else frame


def epoch_ms(moment: Moment) -> int:
    """Returns the moment in UTC epoch milliseconds. Raises MoodwireError without pandas, or for what is no moment."""
    pandas = _pandas()
    try:
        read = pandas.Timestamp(moment)
        aware = read.tz_localize("UTC") if read.tzinfo is None else read
        return int(aware.timestamp() * 1000)
    except (ValueError, TypeError, OverflowError) as error:
        raise MoodwireError(
            f"{moment!r} is no point in time: write one such as 2023-03-09 or 2023-03-09 20:00"
        ) from error


def milliseconds(span: Span) -> int:
    """Returns the length in milliseconds. Raises MoodwireError without pandas, or for what is no length above 0."""
    pandas = _pandas()
    try:
        found = int(pandas.Timedelta(span).total_seconds() * 1000)
    except (ValueError, TypeError, OverflowError):
        found = 0
    if found <= 0:
        raise MoodwireError(f"{span!r}: take a length of time above 0, such as 15min or 1h")
    return found


def _pandas() -> Any:
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MoodwireError("data frames need pandas: install moodwire[frames]") from error
    return pd
