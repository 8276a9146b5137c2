"""A folder that cannot be trusted is refused with the file's name and the fix."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import ArtifactError, OnnxClassifier, load_artifact, shipped
from models.artifact import FORMAT, MANIFEST, NETWORK, TOKENIZER, open_artifact


@pytest.fixture
def folder(shipped_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(shipped_folder, tmp_path / "model"))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_the_shipped_model_is_whole(shipped_folder: Path) -> None:
    artifact = load_artifact(shipped_folder)
    assert artifact.name == shipped_folder.name
    assert artifact.labels["sentiment"] == ("negative", "neutral", "positive")
    assert len(artifact.labels["topic"]) == 20
    assert {NETWORK, TOKENIZER} <= set(artifact.files)


def test_an_unknown_shipped_name_lists_the_known_ones(shipped_folder: Path) -> None:
    with pytest.raises(ArtifactError, match=rf"'nosuch'; shipped: .*{shipped_folder.name}"):
        shipped("nosuch")


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER, MANIFEST])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} cannot be read"):
        load_artifact(folder)


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER])
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=rf"{name} has [\d,]+ bytes, the manifest says"):
        load_artifact(folder)


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER])
def test_one_altered_bit_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name} was altered.*copy the model's folder again"):
        OnnxClassifier.load(folder)


def test_an_opened_artifact_states_what_it_is_and_checks_a_file_when_it_is_read(folder: Path) -> None:
    (folder / NETWORK).write_bytes(b"x")
    artifact = open_artifact(folder)
    assert artifact.version == load_artifact(shipped(artifact.name)).version
    assert artifact.read(TOKENIZER) == (folder / TOKENIZER).read_bytes()
    with pytest.raises(ArtifactError, match=f"{NETWORK} has 1 bytes"):
        artifact.read(NETWORK)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere.*name a folder that holds a model"):
        load_artifact(tmp_path / "nowhere")


def test_a_format_of_tomorrow_is_refused(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest.update(format=FORMAT + 1))
    with pytest.raises(ArtifactError, match=rf"has format {FORMAT + 1}.*update moodwire"):
        load_artifact(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\x00", "7"])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=MANIFEST):
        load_artifact(folder)


@pytest.mark.parametrize("key", ["name", "version", "max_tokens", "heads", "files"])
def test_a_manifest_without_a_key_names_it(folder: Path, key: str) -> None:
    rewrite(folder, lambda manifest: manifest.pop(key))
    with pytest.raises(ArtifactError, match=f"lacks '{key}'"):
        load_artifact(folder)


@pytest.mark.parametrize(
    "heads",
    [
        7,
        {"sentiment": []},
        {"sentiment": {"labels": 5, "temperature": 1}},
        {"sentiment": {"labels": ["a"], "temperature": 1, "smoothing": 1}},
        {"sentiment": {"labels": ["a"], "temperature": 1, "bias": [0.1, 0.2]}},
    ],
)
def test_heads_of_another_shape_are_refused(folder: Path, heads: object) -> None:
    rewrite(folder, lambda manifest: manifest.update(heads=heads))
    with pytest.raises(ArtifactError, match="malformed"):
        load_artifact(folder)


def test_a_manifest_must_vouch_for_the_network(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest["files"].pop(NETWORK))
    with pytest.raises(ArtifactError, match=f"lists no {NETWORK}"):
        load_artifact(folder)


def test_labels_that_the_network_does_not_answer_are_found_at_loading(folder: Path) -> None:
    head = {"labels": ["good", "bad", "mixed", "none"], "temperature": 1.0}
    rewrite(folder, lambda manifest: manifest["heads"].update(sentiment=head))
    with pytest.raises(ArtifactError, match=r"answers .* labels, the manifest lists"):
        OnnxClassifier.load(folder)


def test_a_head_that_the_network_does_not_have_is_found_at_loading(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest["heads"].update(mood={"labels": ["a"], "temperature": 1.0}))
    with pytest.raises(ArtifactError, match=r"answers .* labels, the manifest lists"):
        OnnxClassifier.load(folder)
