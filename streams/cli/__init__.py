"""The command line `moodwire`: one file a command, imported when it is called.

Exit codes: 0 done; 1 something is wrong and was said; 2 the call's words are wrong; 130 or 143 interrupted by
Ctrl-C or SIGTERM before it was done; `run`, which is meant to be stopped, ends with 0.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from streams.cli.config_option import CommandsWithConfig
from streams.cli.lazy import add_lazy
from streams.process import last_words, note_start, one_heap

__all__ = ["app", "main"]

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO, errno.EDQUOT})

app = typer.Typer(
    name="moodwire",
    cls=CommandsWithConfig,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _help in {
    "demo": "Play the sample feed: two weeks of invented news with two crises. Needs no server.",
    "run": "Run the pipeline: feeds, score, watch, deliver. SIGTERM or Ctrl-C finishes the current runs and ends it.",
    "replay": "Play a file of news (NDJSON or CSV, plain or .gz; - is standard input) through the pipeline. "
    "An interrupted replay, started again, resumes at the next line; a file played to its end changes nothing. "
    "Standard input is not recognised: to play it again, name a new namespace ([bold]--into[/]).",
    "score": "Score a text, or with [bold]-[/] every line of standard input: heads, entities, watchlists.",
    "alerts": "List alerts, show one, explain why it opened or did not, or follow them.",
    "rules": "Check the rules of alerts, try them on the archive, or compare two files of rules.",
    "routes": "Check the routes of alerts, or ask which receivers an alert goes to.",
    "items": "Search archived items.",
    "series": "Show a series over time, with the band of what was expected.",
    "subscriptions": "List, make or end subscriptions: who gets which alerts, when, and by which receiver.",
    "watchlists": "List the watchlists, and change them while workers run.",
    "tokens": "Make, list or revoke tokens of the board: who may use it, and for what.",
    "audit": "List what people decided about alerts: who, when, and whether it was accepted.",
    "export": "Export items, series or alerts as CSV or Parquet, as they were known at a time.",
    "report": "Write a daily brief: mood, alerts, movers, volume and gaps, as one HTML file and PNGs.",
    "archive": "Set up, prune, rescore or rebuild the archive, or rebuild the state that is counted from it.",
    "rejects": "List records that could not be processed, or send them again.",
    "deliver": "List notifications that wait, failed or were sent, or send them again.",
    "model": "Train and evaluate models, and put them into service.",
    "config": "Write or check the settings file, or show the settings in effect.",
    "schema": "Print the JSON Schema of a topic or of what a channel sends, or AsyncAPI for all topics.",
    "doctor": "Check folders, files, feeds and servers of the settings, within 10 s. Prints each problem with its fix.",
}.items():
    add_lazy(app, f"streams.cli.{_name}", _name, _help)
add_lazy(
    app,
    "streams.cli.alerts_silence",
    "silences",
    "List silences and maintenance windows that are not over, with what they match and who made them.",
)
add_lazy(
    app,
    "streams.cli.backup",
    "backup",
    "Copy the embedded broker and archive as of one moment, also while workers run.",
)
add_lazy(app, "streams.cli.backup", "restore", "Put a backup back to where the settings say; no worker may be running.")


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"moodwire {version('moodwire')}")
        raise typer.Exit


@app.callback(help="Watch news as it is published, score every item, and raise an alert when bad news surges.")
def _begin(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # the callback shows it
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Settings file, before or behind the command; by default [bold]moodwire.yaml[/] here, in your "
            "settings folder or in /etc/moodwire.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    if config is not None:
        back = _named_file(config)
        if context.obj is None:  # a process of its own keeps the name: an error at its end masks the file's secrets
            context.call_on_close(back)
    if context.obj is not None:
        context.obj()


def _named_file(config: Path) -> Callable[[], None]:
    """Names the settings file to this process and those that it starts; returns what takes the name back."""
    before = os.environ.get("MOODWIRE_CONFIG", "")
    os.environ["MOODWIRE_CONFIG"] = str(config.absolute())

    def back() -> None:
        os.environ["MOODWIRE_CONFIG"] = before

    return back


def _prepare_process() -> None:
    """What a process of its own does before its command is imported: tests call commands without it."""
    one_heap()
    from streams.observe.logs import set_up_logs
    from streams.settings.loading import with_file

    set_up_logs(sys.stderr, with_file(os.environ))


def main() -> None:
    """The console script: runs the command; an error of ours is a clear line for each mistake, not a traceback."""
    note_start()
    try:
        app(obj=_prepare_process)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
            _end_unwritable(error)
        from streams.errors import is_ours

        if not is_ours(error):
            raise
        _end_with(_texts(error))


def _end_with(problems: tuple[str, ...]) -> NoReturn:
    """Ends with a line for each, after what is logged."""
    from streams.cli.output import errors, foreign
    from streams.logs import flush_logs

    flush_logs()
    with last_words(1):
        for text in problems:
            errors.print(f"[bold red]error:[/] {foreign(_masked(text))}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _end_unwritable(error: OSError) -> NoReturn:
    """Ends with one line. What is left in the buffer of standard output goes nowhere, so that no flush fails."""
    from streams.cli.output import errors

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    errors.print(f"[bold red]error:[/] cannot write the output: {error.strerror}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _texts(error: Exception) -> tuple[str, ...]:
    from streams.errors import Mistakes

    return error.problems if isinstance(error, Mistakes) and len(error.problems) > 1 else (str(error),)


def _masked(text: str) -> str:
    from streams.observe.logs import mask, secrets_of
    from streams.settings.loading import with_file

    return mask(secrets_of(with_file(os.environ)))(text)
