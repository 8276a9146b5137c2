"""The shipped model, loaded once, and the labelled data where it is at hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models import OnnxClassifier, shipped

MODEL = "finance-en-minilm-int8"
LABELLED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "labelled"


@pytest.fixture(scope="session")
def shipped_folder() -> Path:
    return shipped(MODEL)


@pytest.fixture(scope="session")
def classifier(shipped_folder: Path) -> Iterator[OnnxClassifier]:
    with OnnxClassifier.load(shipped_folder) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def labelled() -> Path:
    if not LABELLED.is_dir():
        pytest.skip(f"the labelled data is not at hand ({LABELLED.resolve()} is missing)")
    return LABELLED
