"""`moodwire model topics …`: topics added to a trained network, without training it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from models.training_call import DEVICE_HELP
from streams.cli.model_options import DataOption, DatasetOption
from streams.cli.options import JsonOption
from streams.cli.output import console, foreign, print_json
from streams.errors import MoodwireError
from streams.lifecycle.training_code import chosen_datasets, import_training

__all__ = ["app"]

app = typer.Typer(
    help="Add topics to a trained network from a few examples, or from a sentence about them.",
    no_args_is_help=True,
    add_completion=False,
)

ADD = (
    "Teach a trained network a topic that it does not know, without training it.\n\n"
    "Give 8 to 32 texts of the topic in a file, one a line, or a sentence that says what it is about. Examples are "
    "worth their while: on held-out topics they reached an F1 of 0.47 to 0.58, the topic's name alone 0.23. "
    "The topic becomes a head of the network, [bold]topic/NAME[/], and is exported with it."
)

RunOption = Annotated[
    Path, typer.Option("--run", "-r", help="Folder of a run of moodwire model train or distil.", exists=True)
]


@app.command(help=ADD)
def add(
    name: Annotated[str, typer.Argument(help="The topic's name.")],
    run: RunOption,
    data: DataOption,
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Texts of the topic, one a line.", exists=True, dir_okay=False)
    ] = None,
    description: Annotated[str, typer.Option("--description", help="A sentence about the topic.")] = "",
    dataset: DatasetOption = None,
    device: Annotated[str, typer.Option("--device", help=DEVICE_HELP)] = "auto",
) -> None:
    if (examples is None) == (not description):
        raise MoodwireError("give either --examples or --description")
    code, corpus = import_training("topics.heads"), _corpus(data, dataset)
    devices = import_training("encoder.device")
    machine = devices.Machine(devices.chosen_device(device))
    if examples is not None:
        code.add_topic(run, name, examples.read_text(encoding="utf-8").splitlines(), corpus, machine)
    else:
        code.add_described_topic(run, name, description, corpus, machine)
    console.print(
        f"{foreign(run / 'best')} has the head topic/{foreign(name)} now; export it to put it to work", highlight=False
    )


@app.command("list", help="List the topics that were added to a run.")
def show(run: RunOption, json: JsonOption = False) -> None:
    names = import_training("topics.heads").added_topics(run)
    if json:
        print_json(names)
    else:
        console.print("\n".join(map(foreign, names)) or "none", highlight=False)


@app.command(help="Take an added topic out again.")
def remove(name: Annotated[str, typer.Argument(help="The topic's name.")], run: RunOption) -> None:
    import_training("topics.heads").remove_topic(run, name)


def _corpus(data: Path, dataset: list[Path] | None) -> Any:
    return import_training("data.corpus").load_corpus(chosen_datasets(dataset), data)
