"""Settings of the archive: what becomes of them, and that no secret among them is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.archive import open_archive
from streams.archive.elastic.archive import ElasticArchive
from streams.errors import SettingsError
from streams.settings import load_settings

URL = "https://ann:hu%40sh@es.example:9243"


def test_the_user_in_the_address_becomes_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_ARCHIVE_URL", URL)
    settings = load_settings()
    assert settings.archive == "https://es.example:9243"
    assert settings.elastic.authorization() == "Basic YW5uOmh1QHNo"
    assert "hu@sh" not in repr(settings) + str(settings.model_dump())
    assert "hu%40sh" not in repr(settings) + str(settings.model_dump())


def test_a_user_set_by_itself_wins_over_the_address_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_ARCHIVE_URL", URL)
    monkeypatch.setenv("MOODWIRE_ARCHIVE_USER", "bob")
    monkeypatch.setenv("MOODWIRE_ARCHIVE_PASSWORD", "other")
    assert load_settings().elastic.authorization() == "Basic Ym9iOm90aGVy"


def test_an_api_key_wins_over_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_ARCHIVE_URL", URL)
    monkeypatch.setenv("MOODWIRE_ARCHIVE_API_KEY", "a2V5")
    settings = load_settings()
    assert settings.elastic.authorization() == "ApiKey a2V5"
    assert "a2V5" not in repr(settings) + repr(settings.elastic)


def test_every_namespace_but_live_has_its_own_indices() -> None:
    assert load_settings().elastic.prefix == "moodwire-"
    assert load_settings(namespace="replay-2008").elastic.prefix == "moodwire-replay-2008-"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFIX", "Upper-"),
        ("PREFIX", "_hidden"),
        ("PREFIX", "a*"),
        ("REPLICAS", "9"),
        ("RETENTION_DAYS", "0"),
        ("BULK_BYTES", "10"),
        ("IN_FLIGHT", "0"),
    ],
)
def test_what_cannot_be_names_its_key(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MOODWIRE_ARCHIVE_{name}", value)
    with pytest.raises(SettingsError, match=f"MOODWIRE_ARCHIVE_{name}"):
        load_settings()


@pytest.mark.parametrize("scheme", ["https", "http", "elasticsearch"])
async def test_the_scheme_chooses_the_archive(scheme: str) -> None:
    archive = open_archive(f"{scheme}://es.example:9200")
    assert isinstance(archive, ElasticArchive)
    await archive.close()


def test_a_missing_certificate_authority_is_told(tmp_path: Path) -> None:
    settings = load_settings(archive_url=URL, archive_ca=tmp_path / "absent.pem")
    with pytest.raises(SettingsError, match="MOODWIRE_ARCHIVE_CA"):
        open_archive(settings.archive, settings.elastic)
