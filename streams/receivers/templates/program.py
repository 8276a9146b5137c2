"""The process that renders: JSON of `Request` from standard input, JSON of `Answer` to standard output."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

import msgspec
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.worker_process import frame, limit_process, limit_time, read_frame

__all__ = ["Answer", "Request", "main", "rendered"]

MOST_CHARACTERS = 200_000


class Request(msgspec.Struct, frozen=True):
    """Templates by the name of what they make; those of ``html`` escape what they are given."""

    templates: dict[str, str]
    values: dict[str, Any]
    cpu_seconds: float


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was made, by name, or the problem."""

    made: dict[str, str] = {}
    problem: str = ""


def main(memory_bytes: int) -> None:
    """Serves until standard input ends."""
    limit_process(memory_bytes)
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while (data := read_frame(requests)) is not None:
        request = msgspec.json.decode(data, type=Request)
        limit_time(request.cpu_seconds)
        answer = rendered(request)
        limit_time(0)
        answers.write(frame(msgspec.json.encode(answer)))
        answers.flush()


def rendered(request: Request) -> Answer:
    """Returns what the templates make of the values; the first one that fails is the problem."""
    made = {}
    for name, source in request.templates.items():
        environment = ImmutableSandboxedEnvironment(autoescape=name == "html", undefined=StrictUndefined)
        try:
            text = environment.from_string(source).render(request.values)
        except TemplateError as error:
            return Answer(problem=f"{name}: {error.message or type(error).__name__}")
        except MemoryError:
            return Answer(problem=f"{name}: it needs too much memory")
        except Exception as error:  # the boundary: a template may raise whatever its expressions do
            return Answer(problem=f"{name}: {type(error).__name__}: {error}")
        if len(text) > MOST_CHARACTERS:
            return Answer(problem=f"{name}: it makes over {MOST_CHARACTERS:,} characters")
        made[name] = text
    return Answer(made)


if __name__ == "__main__":
    main(int(sys.argv[1]))
