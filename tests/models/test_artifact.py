"""A folder that cannot be trusted is refused with the file's name and the fix."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Artifact, ArtifactError, OnnxClassifier, load_artifact, shipped
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


def test_an_artifact_s_checksum_is_its_manifest_s_which_holds_all_others(folder: Path) -> None:
    before = open_artifact(folder).sha256
    network = bytearray((folder / NETWORK).read_bytes())
    network[len(network) // 2] ^= 1
    (folder / NETWORK).write_bytes(network)
    altered = {"bytes": len(network), "sha256": hashlib.sha256(network).hexdigest()}
    rewrite(folder, lambda manifest: manifest["files"].update({NETWORK: altered}))
    assert load_artifact(folder).sha256 != before


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/hostname", "a/b", ".", "..", "", ".hidden", "a\x00b", "a\n", "x" * 200]
)
def test_no_file_outside_the_folder_can_be_named(folder: Path, name: str) -> None:
    (folder.parent / "secret.txt").write_bytes(b"TOPSECRET")
    stated = {"bytes": 9, "sha256": hashlib.sha256(b"TOPSECRET").hexdigest()}
    rewrite(folder, lambda manifest: manifest["files"].update({name: stated}))
    with pytest.raises(ArtifactError, match="malformed"):
        load_artifact(folder)


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER, MANIFEST])
def test_a_symbolic_link_is_not_followed(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    with pytest.raises(ArtifactError, match=name):
        load_artifact(folder)


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / NETWORK).unlink()
    os.mkfifo(folder / NETWORK)
    with pytest.raises(ArtifactError, match=f"{NETWORK} cannot be read .it is no plain file"):
        load_artifact(folder)


@pytest.mark.parametrize("tokens", [0, -5, 1, 10**9, 10**30, 96.5, "96", True, None, []])
def test_a_number_of_tokens_that_no_network_takes_is_refused(folder: Path, tokens: object) -> None:
    rewrite(folder, lambda manifest: manifest.update(max_tokens=tokens))
    with pytest.raises(ArtifactError, match=r"malformed .*max_tokens"):
        OnnxClassifier.load(folder)


def test_more_tokens_than_the_network_has_positions_for_are_found_at_loading(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest.update(max_tokens=4_096))
    with pytest.raises(ArtifactError, match="cannot read texts of 4096 tokens"):
        OnnxClassifier.load(folder, threads=1)


@pytest.mark.parametrize("key", ["temperature", "threshold", "smoothing"])
@pytest.mark.parametrize("value", [-1.0, 1e300, float("nan"), float("inf"), "1", None])
def test_a_scaling_that_makes_no_probabilities_is_refused(folder: Path, key: str, value: object) -> None:
    rewrite(folder, lambda manifest: manifest["heads"]["sentiment"].update({key: value}))
    with pytest.raises(ArtifactError, match=MANIFEST):
        load_artifact(folder)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"format": 2, "heads": ' + '{"a":' * 100_000, " " * (2 << 20)])
def test_a_manifest_that_is_too_deep_or_too_large_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=MANIFEST):
        load_artifact(folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_manifest_is_refused_by_name_or_read_within_bounds(
    shipped_folder: Path, tmp_path: Path, data: st.DataObject
) -> None:
    manifest = json.loads((shipped_folder / MANIFEST).read_text(encoding="utf-8"))
    place, key = data.draw(st.sampled_from(list(places_of(manifest))))
    if data.draw(st.booleans()):
        place[key] = data.draw(json_values)
    else:
        del place[key]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    artifact = opened(tmp_path)
    if artifact is None:
        return
    assert 3 <= artifact.max_tokens <= 8_192
    assert all((tmp_path / name).parent == tmp_path for name in artifact.files)
    assert all(0 < head.scaling.temperature <= 100 and head.labels for head in artifact.heads.values())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=MANIFEST):
        open_artifact(tmp_path)


def opened(folder: Path) -> Artifact | None:
    """None when it is refused, by an error that names the manifest."""
    try:
        return open_artifact(folder)
    except ArtifactError as error:
        if MANIFEST not in str(error):
            raise
        return None


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON document."""
    for key in list(value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield value, key
        yield from places_of(value[key])
