"""`import moodwire`, from the wheel and editable, beside folders whose names are those of our packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.library.installed import Installed

PROGRAM = """
import json, pickle, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import models
import moodwire
from alerts import MINE
from models import Mine
from streams import mine

TEXT = "Shares plunge after the bank halts withdrawals"


def main():
    record = moodwire.score([TEXT])[0]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        elsewhere = pool.submit(moodwire.score, [TEXT]).result()[0]
    try:
        moodwire.open_archive("typo")
    except moodwire.MoodwireError as error:
        refused = error
    again = pickle.loads(pickle.dumps(refused))
    print(json.dumps({
        "same": record == elsewhere,
        "languages": record["language"],
        "refused": str(again),
        "kind": type(again).__module__,
        "mine": [MINE, Mine.__module__, mine.__file__, models.__file__],
        "names": sorted(name for name in sys.modules if name.split(".")[0] in ("alerts", "models", "streams")),
        "file": moodwire.__file__,
    }))


if __name__ == "__main__":
    main()
"""


COMMAND = """
import asyncio
from moodwire.command import main
try:
    main()
except SystemExit as end:
    assert not end.code
import moodwire.streams.feeds.documents.pool as pool

async def parsed():
    async with pool.ParserPool() as parser:
        rss = b"<rss version='2.0'><channel><item><title>Lender collapses</title></item></channel></rss>"
        return await parser.parse(rss, {}, "https://example.org/")

print(asyncio.run(parsed()).entries[0]["title"])
"""
"""The console script, and in the same process a document that the parser process reads."""


@pytest.fixture(scope="module", params=["wheel", "wheel:editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), request.param)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A program in a folder with packages and modules of its own, under the names of ours."""
    for name, text in {
        "models/__init__.py": "class Mine: ...",
        "streams/__init__.py": "",
        "streams/mine.py": "",
        "alerts.py": "MINE = 1",
        "note.py": PROGRAM,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "note.py"


@pytest.mark.slow
def test_it_scores_beside_foreign_packages_here_and_in_a_spawned_process(installed: Installed, notebook: Path) -> None:
    found = json.loads(installed.run(notebook, folder=notebook.parent))
    assert found["same"]
    assert found["languages"] == "en"
    assert "there is no namespace 'typo'" in found["refused"]
    assert found["kind"] == "moodwire.streams.errors"
    here = str(notebook.parent)
    assert found["mine"] == [1, "models", f"{here}/streams/mine.py", f"{here}/models/__init__.py"]
    assert found["names"] == ["alerts", "models", "streams", "streams.mine"], "what is yours, and nothing of ours"
    editable = found["file"].startswith(str(ROOT))
    assert editable or found["file"].startswith(str(installed.packages))
    assert editable != (installed.packages / "moodwire").exists()


@pytest.mark.slow
def test_the_command_line_runs_beside_foreign_packages_and_so_do_the_programs_that_it_starts(
    installed: Installed, notebook: Path
) -> None:
    words = ("-c", COMMAND, "score", "--json", "Lender collapses")
    record, feed = installed.run(*words, folder=notebook.parent).splitlines()
    assert json.loads(record)["language"] == "en"
    assert feed == "Lender collapses"
