"""How a student is taught, as options: they decide its result together with the plan. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from models.training.options import FROM, HOW, option

__all__ = ["Teaching"]


@dataclass(frozen=True, slots=True)
class Teaching:
    """Teachers, their share of the loss, and the new texts that are made; shares are of the training texts."""

    teachers: Annotated[
        tuple[Path, ...],
        option("Folder of a teacher's run; repeatable, then the mean counts.", "--teacher", "-t", existing="path"),
    ]
    labels: Annotated[
        Path | None, option("Folder that keeps the teachers' labels; by default OUT/labels.", existing="")
    ] = None
    soft_share: Annotated[
        float, option("Share of the loss that comes from the teachers' labels.", panel=HOW, least=0, most=1)
    ] = 0.7
    """The rest comes from the hard labels."""
    temperature: Annotated[float, option("Values above 1 flatten the teachers' probabilities.", panel=HOW)] = 1.0
    swap_names: Annotated[float, option("Share of texts to repeat with other names.", panel=FROM, least=0, most=1)] = (
        0.0
    )
    drop_tickers: Annotated[float, option("Share of texts to repeat without $TICKER.", panel=FROM, least=0, most=1)] = (
        0.0
    )
    drop_words: Annotated[
        float,
        option("Share of texts to repeat without some words; only teachers label them.", panel=FROM, least=0, most=1),
    ] = 0.0
    other_words: Annotated[
        float,
        option("Share of texts to repeat with similar words; only teachers label them.", panel=FROM, least=0, most=1),
    ] = 0.0
    rewritten: Annotated[
        float,
        option(
            "Share of texts to repeat with some words replaced by others that fit; only teachers label them. 2 repeats "
            "each text twice.",
            panel=FROM,
            least=0,
            most=20,
        ),
    ] = 0.0
    rewriter: Annotated[Path | None, option("Run of model pretrain that chooses those words.", panel=FROM)] = None
    """For the training code the encoder itself: `best` of such a run."""
    sentences: Annotated[
        float,
        option(
            "Generated English sentences to add, as a share of the texts: a loss that narrows is good.",
            panel=FROM,
            least=0,
            most=1,
        ),
    ] = 0.0

    @property
    def augment(self) -> Mapping[str, float]:
        """The shares above 0 by kind of new text, as a run's record has them."""
        shares = {
            "names": self.swap_names,
            "ticker": self.drop_tickers,
            "words": self.drop_words,
            "other_words": self.other_words,
            "rewritten": self.rewritten,
            "sentences": self.sentences,
        }
        return {kind: share for kind, share in shares.items() if share}
