"""The network: an encoder, the mean of its token vectors, one linear layer a head."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel


class HeadedEncoder(nn.Module):
    """Text in, logits of every head out.

    `forward` takes `input_ids` and `attention_mask`, both int64 [rows, tokens], and returns the logits of
    each head, float32 [rows, labels], in the order of `heads`.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, tuple[str, ...]], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        width = int(encoder.config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(width, len(labels)) for name, labels in heads.items()})

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        pooled = self.dropout(mean)
        return tuple(head(pooled) for head in self.heads.values())


def from_pretrained(folder: Path, heads: Mapping[str, tuple[str, ...]], attention: str = "sdpa") -> HeadedEncoder:
    """Build the network on the pretrained encoder in `folder`, its heads fresh."""
    encoder = AutoModel.from_pretrained(folder, attn_implementation=attention, add_pooling_layer=False)
    return HeadedEncoder(encoder, heads)


def save(network: HeadedEncoder, folder: Path) -> None:
    """Write the encoder's configuration and all weights to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    network.encoder.config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "network.pt")


def load(folder: Path, heads: Mapping[str, tuple[str, ...]], attention: str = "sdpa") -> HeadedEncoder:
    """Read what `save` wrote, ready for inference."""
    config = AutoConfig.from_pretrained(folder)
    encoder = AutoModel.from_config(config, attn_implementation=attention, add_pooling_layer=False)
    network = HeadedEncoder(encoder, heads)
    network.load_state_dict(torch.load(folder / "network.pt", map_location="cpu", weights_only=True))
    return network.eval()
