"""What a command costs before it does anything: it imports what it needs, and no word of its call goes astray."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.archive.schema import connect as sqlite_connect
from streams.cli import app
from streams.transport.broker import TopicSpec, open_broker

ROOT = Path(__file__).resolve().parents[2]
MOODWIRE = Path(sys.executable).with_name("moodwire")
TEXT = "Shares plunge after the bank halts withdrawals"
HEAVY = {"aiohttp", "aiokafka", "elasticsearch", "feedparser", "httpx", "kafka", "mode", "requests", "scipy"}
FOR_A_MODEL = {"numpy", "onnxruntime", "tokenizers", "fasttext", "selectolax"}
FOR_SETTINGS = {"pydantic", "structlog", "alerts", "models"}
COMMANDS = [
    "demo",
    "run",
    "replay",
    "score",
    "archive",
    "rejects",
    "model",
    "config",
    "schema",
    "doctor",
    "backup",
    "restore",
]
MODEL_COMMANDS = [
    "train", "distil", "pretrain", "tune", "topics", "evaluate", "export", "bench", "list", "add", "shadow", "gate",
    "promote", "rollback", "feedback", "review", "retrain",
]  # fmt: skip

PROGRAM = """
import sys
from streams.cli import main
try:
    main()
except SystemExit as end:
    if end.code:
        raise
sys.stderr.write("\\n" + " ".join(sys.modules))
"""


def make_namespace(folder: Path, name: str) -> None:
    """As a first run leaves it, with nothing in it."""
    with open_broker(f"sqlite:///{folder / name / 'broker.db'}") as broker:
        broker.ensure_topics(
            [TopicSpec(f"moodwire.{name}.{topic}", compacted=True) for topic in ("rejects", "feedback")]
        )
    sqlite_connect(folder / name / "archive.db").close()


def modules_after(words: Sequence[str], folder: Path) -> set[str]:
    """The top-level packages that a process holds after `moodwire WORDS`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=os.environ | {"MOODWIRE_DATA_DIR": str(folder)}, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return {name.split(".")[0] for name in done.stderr.rsplit("\n", 1)[1].split()}


def processor_seconds(arguments: Sequence[str | Path]) -> float:
    """What the least of three runs of a program took, user and system together."""
    runs = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(runs)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["model", "--help"]], ids=" ".join)
def test_help_imports_no_part_of_the_pipeline(words: list[str], tmp_path: Path) -> None:
    heavy = HEAVY | FOR_A_MODEL | (FOR_SETTINGS if len(words) == 1 else set())
    assert modules_after(words, tmp_path) & heavy == set()


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["score", TEXT], FOR_A_MODEL),
        (["rejects", "list"], set()),
        (["archive", "setup"], set()),
        (["model", "feedback", "--help"], set()),
    ],
    ids=lambda one: " ".join(one[:2]) if isinstance(one, list) else "",
)
def test_a_command_imports_what_it_needs(words: list[str], needed: set[str], tmp_path: Path) -> None:
    make_namespace(tmp_path, "live")
    assert modules_after(words, tmp_path) & (HEAVY | FOR_A_MODEL) <= needed | {"numpy", "tokenizers"}


@pytest.mark.parametrize("words", [["--help"], ["--version"]], ids=" ".join)
def test_help_and_version_take_less_than_a_third_of_a_second(words: list[str]) -> None:
    """0.15 and 0.08 s on an Intel Xeon; on a slower machine in proportion to loading Typer, which took 0.07."""
    allowed = max(0.3, 4 * processor_seconds([sys.executable, "-c", "import typer"]))
    assert processor_seconds([MOODWIRE, *words]) < allowed


def test_scoring_one_text_takes_less_than_one_and_a_half_seconds() -> None:
    """0.8 s on an Intel Xeon; on a slower machine in proportion to loading numpy and pydantic, which took 0.25."""
    allowed = max(1.5, 6 * processor_seconds([sys.executable, "-c", "import numpy, pydantic_settings"]))
    assert processor_seconds([MOODWIRE, "score", TEXT]) < allowed


def test_the_version_is_the_distributions() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert re.fullmatch(r"moodwire \d+\.\d+\.\d+\n", shown.output)


def test_the_list_of_commands_is_that_of_the_commands() -> None:
    listed = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "160"}).output
    of_model = CliRunner().invoke(app, ["model", "--help"], env={"COLUMNS": "160"}).output
    assert [word for word in re.findall(r"│ ([a-z]+) ", listed) if word in COMMANDS] == COMMANDS
    assert [word for word in re.findall(r"│ ([a-z]+) ", of_model) if word in MODEL_COMMANDS] == MODEL_COMMANDS


@pytest.mark.parametrize(
    "words", [[name] for name in COMMANDS] + [["model", name] for name in MODEL_COMMANDS], ids=" ".join
)
def test_every_command_shows_its_help(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert f"{' '.join(words)} [OPTIONS]" in shown.output


def test_an_unknown_command_is_a_wrong_call() -> None:
    shown = CliRunner().invoke(app, ["scor", "x"])
    assert shown.exit_code == 2
    assert "'score'" in shown.output


@pytest.mark.parametrize("words", [["-L"], ["-L", "sentiment=negative"], ["--loop=none"], ["--datadir"]], ids=" ".join)
def test_faust_reads_no_words_of_ours(words: list[str]) -> None:
    program = "import os, sys, streams.transport.runs; sys.exit(len(sys.argv) < 2 or 'FAUST' in ' '.join(os.environ))"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_a_correction_with_a_label_needs_no_event_loop_of_that_name(tmp_path: Path) -> None:
    make_namespace(tmp_path, "demo")
    words = ["model", "feedback", "some-item", "-L", "sentiment=negative", "--namespace", "demo"]
    done = subprocess.run(
        [MOODWIRE, *words],
        env=os.environ | {"MOODWIRE_DATA_DIR": str(tmp_path)}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert "not in the archive: some-item" in done.stdout


def test_faust_is_imported_in_one_package_and_onnxruntime_in_one_module() -> None:
    """The package guards the words of the process, the module tells onnxruntime to report nothing, both before."""
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text() for name in ("alerts", "models", "streams")
        for path in (ROOT / name).rglob("*.py")
    }  # fmt: skip
    faust = [
        path for path, text in sources.items() if re.search(r"^\s*(from|import) (faust|mode)\b", text, re.MULTILINE)
    ]
    runtime = [path for path, text in sources.items() if re.search(r"^\s*import onnxruntime\b", text, re.MULTILINE)]
    assert [path for path in faust if not path.startswith("streams/transport/")] == []
    assert runtime == ["models/runtime.py"]
