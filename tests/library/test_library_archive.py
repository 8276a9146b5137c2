"""An archive in data frames, as a notebook reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.archive.protocol import StoredAlert
from streams.archive.sqlite import SqliteArchive
from streams.errors import MoodwireError, SettingsError
from streams.library import Archive, open_archive
from streams.library.frames import epoch_ms, frame_of, milliseconds
from streams.settings import load_settings
from tests.archive.test_archive_contract import scored
from tests.profiles.test_own_profile import FOLDER

HOUR_MS = 3_600_000


@pytest.fixture
async def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Three items in two hours, and an alert; opened while another process could go on to write."""
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    home = load_settings(namespace="n").home
    home.mkdir()
    written = SqliteArchive(home / "archive.db")
    await written.write_items([scored(1), scored(2, seen_ms=HOUR_MS + 5), scored(3, title="A rare word")])
    body = {"id": "a", "series": "all", "state": "firing", "onset_ms": HOUR_MS, "peak": {"total": 3}}
    await written.write_alerts(
        [
            StoredAlert(
                "a", 1, "negative", "volume", "all", "firing", "warning", HOUR_MS, HOUR_MS, json.dumps(body).encode()
            )
        ]
    )
    await written.close()
    return open_archive("n")


async def test_a_series_is_a_frame_by_time(archive: Archive) -> None:
    with archive:
        frame = archive.series("all", until="1970-01-02")
    assert frame["total"].tolist() == [2, 1]
    assert [str(start) for start in frame.index] == ["1970-01-01 01:00:00+00:00", "1970-01-01 03:00:00+00:00"]


async def test_times_restrict_a_series_and_buckets_are_as_long_as_asked(archive: Archive) -> None:
    with archive:
        assert archive.series("all", since="1970-01-01 03:00", until="1970-01-02")["total"].tolist() == [1]
        assert archive.series("entity/ACME", until="1970-01-02", bucket="1D")["total"].tolist() == [3]
        nothing = archive.series("entity/NONE")
    assert nothing.empty
    assert list(nothing.columns) == ["total", "hits", "mean_score"]
    assert nothing.index.name == "start"
    assert str(nothing.index.tz) == "UTC"


async def test_a_signal_that_the_archive_does_not_know_is_an_error(archive: Archive) -> None:
    with archive:
        for series in ("all", "entity/NONE"):
            with pytest.raises(MoodwireError, match="no signal 'negativ' in the archive; did you mean 'negative'"):
                archive.series(series, signal="negativ", until="1970-01-02")
        assert archive.series("all", signal="positive", until="1970-01-02")["hits"].sum() == 0, "nothing hits it yet"


async def test_an_archive_of_another_profile_is_an_error_unless_all_is_named(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.close()
    monkeypatch.setenv("MOODWIRE_PROFILE", str(FOLDER))
    with open_archive("n") as other:
        with pytest.raises(MoodwireError, match="signals negative, and was not filled with the profile 'service-desk'"):
            other.series()
        with pytest.raises(MoodwireError, match="no signal 'urgent' in the archive; take one of negative"):
            other.series("all", signal="urgent", until="1970-01-02")
        assert other.series("all", signal="negative", until="1970-01-02")["total"].sum() == 3


async def test_alerts_and_found_items_are_frames(archive: Archive) -> None:
    with archive:
        alerts = archive.alerts()
        found = archive.search("rare")
    assert alerts.loc["a", "peak_total"] == 3
    assert str(alerts.loc["a", "onset"]) == "1970-01-01 01:00:00+00:00"
    assert found["news_title"].tolist() == ["A rare word"]
    assert "«rare»" in found["snippet"][0]


async def test_a_closed_archive_may_be_closed_again(archive: Archive) -> None:
    archive.close()
    archive.close()


def test_a_namespace_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match="no namespace 'typo'"):
        open_archive("typo")
    assert list(tmp_path.iterdir()) == []


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MoodwireError, match=r"moodwire\[frames\]"):
        frame_of([])


@pytest.mark.parametrize(("given", "expected"), [("1970-01-01 01:00", HOUR_MS), ("1970-01-01 02:00+01:00", HOUR_MS)])
def test_moments_are_utc_unless_they_name_a_zone(given: Any, expected: int) -> None:
    assert epoch_ms(given) == expected


def test_lengths_of_time() -> None:
    assert milliseconds("1h") == HOUR_MS
    for wrong in ("0s", "1 fortnight", "-1h", ""):
        with pytest.raises(MoodwireError, match="above 0, such as 15min or 1h"):
            milliseconds(wrong)


def test_what_is_no_moment_is_named() -> None:
    with pytest.raises(MoodwireError, match="'yesterweek' is no point in time"):
        epoch_ms("yesterweek")
