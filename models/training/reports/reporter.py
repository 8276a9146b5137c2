"""Reports the progress of a run: a bar on a terminal, plain lines elsewhere, and curves for TensorBoard.

Weights & Biases gets the same curves if a project is named.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from models.training.errors import TrainingError

__all__ = ["Reporter"]

LINE_SECONDS = 30.0
"""Between two lines of a log; a bar moves at every step."""


class Reporter:
    """Curves and lines of one run; `close` it at the end."""

    def __init__(self, folder: Path, *, wandb_project: str = "", quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._curves = SummaryWriter(str(folder / "tensorboard"))
        self._wandb = _open_wandb(wandb_project, folder) if wandb_project else None

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def curve(self, values: Mapping[str, float], step: int) -> None:
        """Adds a point to each of the curves `values`."""
        for name, value in values.items():
            self._curves.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)

    @contextmanager
    def bar(self, what: str, total: int, done: int = 0) -> Iterator[Callable[[int, str], None]]:
        """Yields a function that hears how many more are done, and what to show beside the bar."""
        if not self._console.is_terminal:
            yield self._lines(what, total, done)
            return
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[more]}"),
        ]
        with Progress(*columns, console=self._console) as bars:
            task = bars.add_task(what, total=total, completed=done, more="")

            def advance(more: int, note: str = "") -> None:
                bars.update(task, advance=more, more=note)

            yield advance

    def close(self) -> None:
        """Writes what is not yet written."""
        self._curves.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _lines(self, what: str, total: int, done: int) -> Callable[[int, str], None]:
        started = printed = time.monotonic()
        at = done

        def advance(more: int, note: str = "") -> None:
            nonlocal at, printed
            at += more
            now = time.monotonic()
            if now - printed >= LINE_SECONDS or at >= total:
                printed = now
                left = (now - started) / max(1, at - done) * (total - at)
                self.say(f"{what} {at:,}/{total:,} {now - started:.0f} s, {left:.0f} s left {note}".rstrip())

        return advance


def _open_wandb(project: str, folder: Path) -> Any:
    try:
        wandb = importlib.import_module("wandb")  # an option outside the locks
    except ImportError as error:
        raise TrainingError("--wandb needs the package wandb; install it beside the extra `train`") from error
    return wandb.init(project=project, dir=str(folder), name=folder.name)
