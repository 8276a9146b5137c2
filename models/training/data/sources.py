"""What a run reads and where it writes: options that all commands of training share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from models.training.options import FROM, option
from models.training_call import DATA_HELP, DATASET_HELP

__all__ = ["Sources"]

_ENCODER = (
    "Pretrained encoder: a folder, a name fetched by deploy/setup/fetch-encoder, or owner/name on the hub. "
    "The folder of a run continues from its network."
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Labelled data, the encoder to start from, and the folder of the run; `encoder` as people name it."""

    data: Annotated[Path, option(DATA_HELP, "--data", "-d", existing="folder")]
    out: Annotated[Path, option("Folder of the run. The same command resumes it.", "--out", "-o")]
    encoder: Annotated[str, option(_ENCODER, "--encoder", "-e")]
    dataset: Annotated[
        tuple[Path, ...],
        option(DATASET_HELP, panel=FROM),
    ] = ()
