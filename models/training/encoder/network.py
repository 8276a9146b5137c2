"""The network: one encoder, and heads that read a text, an entity in it, or its words, all from one pass.

heads.sentiment, heads.topic   Linear(width, labels)      on the mean of the token vectors
heads.entity                   Linear(2 width, labels)    on [mean of the entity's tokens ; mean of the text]
heads.names                    Linear(width, 3)           on each token: O, B, I
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers.activations import ACT2FN

from models.training.data.heads import HeadSpec, read_heads, write_heads
from models.training.errors import TrainingError

__all__ = [
    "Entities",
    "HeadedEncoder",
    "from_pretrained",
    "layers_of",
    "load",
    "pad_token",
    "read_state",
    "save",
    "word_vectors",
]

Entities = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By entity head: the row of each entity, int64 [entities], and its tokens, float 0 or 1 [entities, tokens]."""

_WEIGHTS = "network.pt"


class HeadedEncoder(nn.Module):
    """Token numbers in, logits of every head out.

    `forward` takes `input_ids` and `attention_mask`, both int64 [rows, tokens], and returns by head: text heads
    float32 [rows, labels], the names head [rows, tokens, 3], entity heads [entities, labels] for the entities
    given; without any, an entity head is left out.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, HeadSpec], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.specs = dict(heads)
        width = int(encoder.config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width * (1 + (one.kind == "entity")), len(one.labels)) for name, one in heads.items()}
        )

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, entities: Entities | None = None
    ) -> dict[str, torch.Tensor]:
        return self.answers(self.hidden(input_ids, attention_mask), attention_mask, entities or {})

    def hidden(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Returns the token vectors, float [rows, tokens, width]."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    def answers(self, hidden: torch.Tensor, mask: torch.Tensor, entities: Entities) -> dict[str, torch.Tensor]:
        """Applies the heads to token vectors, float [rows, tokens, width]."""
        mean = _mean(hidden, mask.unsqueeze(-1).to(hidden.dtype))
        pooled = self.dropout(mean)
        found = {}
        for name, head in self.heads.items():
            kind = self.specs[name].kind
            if kind == "text":
                found[name] = head(pooled)
            elif kind == "names":
                found[name] = head(self.dropout(hidden))
            elif name in entities:
                rows, tokens = entities[name]
                entity = _mean(hidden[rows], tokens.unsqueeze(-1).to(hidden.dtype))
                found[name] = head(self.dropout(torch.cat([entity, mean[rows]], dim=-1)))
        return found


def _mean(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def layers_of(encoder: nn.Module) -> nn.ModuleList:
    """Returns the encoder's transformer layers, which may be replaced in place.

    Raises `TrainingError` when it is built in another way than Hugging Face's encoders are.
    """
    for holder in (getattr(encoder, "encoder", None), getattr(encoder, "transformer", None), encoder):
        for name in ("layer", "layers"):
            found = getattr(holder, name, None)
            if isinstance(found, nn.ModuleList):
                return found
    raise TrainingError(f"{type(encoder).__name__} has no list of layers; use an encoder of BERT's or MPNet's kind")


def from_pretrained(
    folder: Path,
    heads: Mapping[str, HeadSpec],
    *,
    dropout: float = 0.1,
    attention: str | None = None,
    activation: str = "",
) -> HeadedEncoder:
    """Builds the network on the pretrained encoder in `folder`, its heads fresh; or on what `save` wrote there.

    Of a network that was trained before, the heads with the same labels go on too. `activation` takes the place of the
    encoder's own, which its weights were learnt with; "" leaves it. Raises `TrainingError` when the folder holds no
    encoder that Transformers can read, or it has no such activation.
    """
    options = {"attn_implementation": attention} if attention else {}
    trained = (folder / _WEIGHTS).is_file()
    try:
        config = _config(folder, activation)
        if trained:
            encoder = _without_pooler(AutoModel.from_config, config, **options)
        else:
            encoder = _without_pooler(AutoModel.from_pretrained, folder, config=config, **options)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder} holds no encoder that Transformers reads ({error})") from error
    network = HeadedEncoder(encoder.float(), heads, dropout)
    if trained:
        _take_over(network, folder)
    return network


def _take_over(network: HeadedEncoder, folder: Path) -> None:
    other = tuple(f"heads.{name}." for name, spec in read_heads(folder).items() if network.specs.get(name) != spec)
    kept = {name: value for name, value in read_state(folder).items() if not name.startswith(other)}
    network.load_state_dict(kept, strict=False)  # what is not there is a head, and stays fresh


def _without_pooler(make: Callable[..., Any], source: Any, **options: Any) -> Any:
    try:
        return make(source, add_pooling_layer=False, **options)
    except TypeError:  # an encoder without a pooler knows no such switch
        return make(source, **options)


def _config(folder: Path, activation: str) -> Any:
    config = AutoConfig.from_pretrained(folder)
    if not activation:
        return config
    if activation not in ACT2FN:
        raise TrainingError(f"no activation {activation!r}; Transformers knows {', '.join(sorted(ACT2FN))}")
    name = next((one for one in ("hidden_act", "activation") if isinstance(getattr(config, one, None), str)), None)
    if name is None:
        raise TrainingError(f"the encoder in {folder} names no activation that could be another")
    setattr(config, name, activation)
    return config


def word_vectors(folder: Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Returns the pieces that the encoder in `folder` knows, and their vectors, float32 [pieces, width]."""
    encoder = from_pretrained(folder, {}).encoder
    vectors = encoder.get_input_embeddings().weight.detach().float().numpy()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.id_to_token(number) or "" for number in range(len(vectors))], vectors


def save(network: HeadedEncoder, folder: Path) -> None:
    """Writes the encoder's configuration, the heads and all weights to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    network.encoder.config.save_pretrained(folder)
    write_heads(network.specs, folder)
    torch.save(network.state_dict(), folder / _WEIGHTS)


def read_state(folder: Path) -> dict[str, torch.Tensor]:
    """Reads the weights that `save` wrote, names starting with `encoder.` or `heads.`."""
    try:
        state: dict[str, torch.Tensor] = torch.load(folder / _WEIGHTS, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingError(f"{folder / _WEIGHTS} cannot be read ({error.strerror}); name a trained network") from error
    return state


def load(folder: Path, *, attention: str | None = None) -> HeadedEncoder:
    """Reads what `save` wrote, ready for inference."""
    options = {"attn_implementation": attention} if attention else {}
    encoder = _without_pooler(AutoModel.from_config, AutoConfig.from_pretrained(folder), **options)
    network = HeadedEncoder(encoder, read_heads(folder))
    network.load_state_dict(read_state(folder))
    return network.eval()


def pad_token(network: HeadedEncoder) -> int:
    """Returns the number of the token that fills up a batch."""
    return int(network.encoder.config.pad_token_id or 0)
