"""Versions at hand: what was added stays as it came, and what cannot be trusted is not taken in."""

import json
import shutil
from pathlib import Path

import pytest

from models import ArtifactError, load_artifact
from models.artifact import MANIFEST, NETWORK
from models.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def version_of(shipped_folder: Path, folder: Path, version: str) -> Path:
    """The shipped model under another version: the manifest vouches for the other files alone."""
    copy = Path(shutil.copytree(shipped_folder, folder / f"v{version}"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": version}), encoding="utf-8")
    return copy


def test_the_shipped_model_is_at_hand_with_its_accuracy(registry: Registry, shipped_folder: Path) -> None:
    entries = {entry.name: entry for entry in registry.entries()}
    entry = entries[shipped_folder.name]
    assert entry.where == "shipped"
    assert 0.8 < entry.accuracy["sentiment"] < 1
    assert registry.find(entry.name) == shipped_folder
    assert registry.find(entry.name, entry.version) == shipped_folder


def test_a_version_is_copied_checked_and_found(registry: Registry, shipped_folder: Path, tmp_path: Path) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    entry = registry.add(source)
    shutil.rmtree(source)
    assert (entry.where, entry.version) == ("added", "7.0.0")
    assert load_artifact(registry.find(entry.name, "7.0.0")).version == "7.0.0"
    assert [one.version for one in registry.entries() if one.where == "added"] == ["7.0.0"]
    assert sorted(path.name for path in entry.path.parent.iterdir()) == ["7.0.0"], "nothing half copied is left"


def test_the_same_again_changes_nothing_and_other_content_is_refused(
    registry: Registry, shipped_folder: Path, tmp_path: Path
) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    registry.add(source)
    registry.add(source)
    manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
    (source / "tokenizer.json").write_bytes(b"{}")
    sums = {"bytes": 2, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
    manifest["files"]["tokenizer.json"] = sums
    (source / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match="a version never changes"):
        registry.add(source)


def test_an_altered_model_is_not_taken_in(registry: Registry, shipped_folder: Path, tmp_path: Path) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    content = bytearray((source / NETWORK).read_bytes())
    content[1000] ^= 1
    (source / NETWORK).write_bytes(content)
    with pytest.raises(ArtifactError, match="was altered"):
        registry.add(source)
    assert [one for one in registry.entries() if one.where == "added"] == []


@pytest.mark.parametrize("version", ["../../etc", ".hidden", "a/b", ""])
def test_a_version_that_is_no_folder_name_is_refused(
    registry: Registry, shipped_folder: Path, tmp_path: Path, version: str
) -> None:
    copy = version_of(shipped_folder, tmp_path, "x")
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": version}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="no name or version"):
        registry.add(copy)


def test_what_is_not_known_is_named_with_what_is(registry: Registry) -> None:
    with pytest.raises(ArtifactError, match=r"there is no model model 9; known: .*moodwire model add"):
        registry.find("model", "9")


def test_a_verdict_is_kept_beside_its_version(registry: Registry) -> None:
    assert registry.verdict("model", "9") is None
    registry.keep_verdict("model", "9", {"passed": False})
    assert registry.verdict("model", "9") == {"passed": False}
    assert registry.entries(), "a verdict is no model"


def test_a_link_in_the_folder_is_not_followed(registry: Registry, shipped_folder: Path, tmp_path: Path) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    (tmp_path / "secret").write_text("root:x")
    (source / "notes").symlink_to(tmp_path / "secret")
    with pytest.raises(ArtifactError, match="notes is no plain file"):
        registry.add(source)
    assert not list(registry.folder.glob("*/*/notes"))


def test_a_version_is_known_by_the_checksum_of_its_manifest(
    registry: Registry, shipped_folder: Path, tmp_path: Path
) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    registry.add(source)
    manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
    manifest["heads"]["sentiment"]["labels"].reverse()
    (source / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match="a version never changes"):
        registry.add(source)


@pytest.mark.parametrize("metrics", ["[]", "7", '{"sets": [1]}', '{"sets": [{}]}', '{"valid": 3}', "[" * 100_000])
def test_metrics_may_hold_anything(registry: Registry, shipped_folder: Path, tmp_path: Path, metrics: str) -> None:
    source = version_of(shipped_folder, tmp_path, "7.0.0")
    (source / "metrics.json").write_text(metrics)
    assert registry.add(source).accuracy == {}
