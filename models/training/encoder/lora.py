"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): a fraction of the weights learn, and are folded in at the end.

For a fine-tuned model that must not forget, or a memory that cannot hold an optimiser for every weight.
"""

import copy
from collections.abc import Iterator

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from models.training.encoder.network import HeadedEncoder, layers_of

__all__ = ["add_adapters", "folded"]


def add_adapters(network: HeadedEncoder, rank: int, dropout: float) -> None:
    """Puts an adapter of `rank` beside each matrix of the encoder's layers; of the encoder they alone learn."""
    names = sorted({name.rpartition(".")[2] for name, _ in _matrices(layers_of(network.encoder))})
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=dropout, target_modules=names)
    network.encoder = inject_adapter_in_model(config, network.encoder)
    network.heads.requires_grad_(True)


def folded(network: HeadedEncoder) -> HeadedEncoder:
    """Returns a copy with the adapters added to the matrices that they belong to: a network as any other."""
    whole = copy.deepcopy(network)
    for parent in list(whole.encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BaseTunerLayer):
                child.merge()
                setattr(parent, name, child.get_base_layer())
    return whole


def _matrices(layers: nn.ModuleList) -> Iterator[tuple[str, nn.Module]]:
    return ((name, one) for name, one in layers.named_modules() if isinstance(one, nn.Linear))
