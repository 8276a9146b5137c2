"""A Dockerfile read into what the tests ask of it; knows the instructions that ours use and refuses others."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Dockerfile", "Stage", "read_dockerfile"]


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    run: list[str] = field(default_factory=list)
    copy: list[tuple[str, ...]] = field(default_factory=list)
    """Sources from the build context, the target last."""
    copy_from: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Dockerfile:
    """All stages, and the settings of the last one."""

    stages: list[Stage]
    environment: dict[str, str]
    user: str
    exposed: list[str]
    healthcheck: list[str]
    entrypoint: list[str]
    command: list[str]
    stop_signal: str


def read_dockerfile(path: Path) -> Dockerfile:
    """Raises ValueError for an instruction that it does not know."""
    read = Dockerfile([], {}, "", [], [], [], [], "")
    for word, rest in _instructions(path.read_text()):
        _take(read, word, rest)
    return read


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for line in joined.splitlines() for word, _, rest in [line.partition(" ")]]


_WORD = {"USER": "user", "STOPSIGNAL": "stop_signal"}
_JSON = {"ENTRYPOINT": "entrypoint", "CMD": "command"}
_UNREAD = {"WORKDIR", "LABEL"}


def _take(read: Dockerfile, word: str, rest: str) -> None:
    if word in _WORD:
        setattr(read, _WORD[word], rest)
    elif word in _JSON:
        setattr(read, _JSON[word], json.loads(rest))
    elif word == "FROM":
        base, _, name = rest.partition(" AS ")
        read.stages.append(Stage(base, name))
        read.environment = {}
    elif word in {"RUN", "COPY"}:
        _take_step(read.stages[-1], word, rest)
    elif word == "ENV":
        read.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    elif word == "EXPOSE":
        read.exposed = rest.split()
    elif word == "HEALTHCHECK":
        read.healthcheck = json.loads(rest[rest.index("CMD ") + 4 :])
    elif word not in _UNREAD:
        raise ValueError(f"unknown instruction {word}")


def _take_step(stage: Stage, word: str, rest: str) -> None:
    if word == "RUN":
        stage.run.append(rest)
    elif rest.startswith("--from="):
        stage.copy_from.append(rest.split()[0].removeprefix("--from="))
    else:
        stage.copy.append(tuple(rest.split()))
