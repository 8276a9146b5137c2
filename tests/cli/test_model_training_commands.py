"""`moodwire model train` and its like where the packages of training are not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.lifecycle.errors import TrainingUnavailable


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed: the environment of training")
@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_a_missing_package_is_named_with_what_brings_it(command: str, tmp_path: Path) -> None:
    options = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, ["model", command, *options])
    assert isinstance(found.exception, TrainingUnavailable), found.output
    assert "install moodwire[train,cpu], or run `make train-env`" in str(found.exception)
