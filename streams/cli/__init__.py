"""The command line `moodwire`: one file a command.

Exit codes: 0 done; 1 something is wrong and was said; 2 the call's words are wrong; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from alerts import AlertsError
from models import ModelError
from streams.cli import archive, demo, doctor, model, rejects, replay, run, score
from streams.cli.output import errors, foreign
from streams.errors import MoodwireError
from streams.observe.logs import mask, secrets_of, set_up_logs
from streams.process import one_heap

__all__ = ["app", "main"]

app = typer.Typer(
    name="moodwire",
    help="Watches news as it is published, scores every item, and alerts when negative news surges.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(help=demo.HELP)(demo.demo)
app.command(help=run.HELP)(run.run)
app.command(help=replay.HELP)(replay.replay)
app.command(help=score.HELP)(score.score)
app.add_typer(archive.app, name="archive")
app.add_typer(rejects.app, name="rejects")
app.add_typer(model.app, name="model")
app.command(help=doctor.HELP)(doctor.doctor)


def main() -> None:
    """The console script: runs the command; an error of ours is one clear line, not a traceback."""
    one_heap()
    set_up_logs(sys.stderr)
    try:
        app()
    except (MoodwireError, AlertsError, ModelError) as error:
        errors.print(f"[bold red]error:[/] {foreign(_masked(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _masked(error: Exception) -> str:
    return mask(secrets_of(os.environ))(str(error))
