"""Frozen lower layers run once: what they say of each text is kept on disk, and replayed every epoch.

With embeddings and the lowest layers frozen, and their dropout off, their output for a text never changes. Kept as
float16 in one file (two bytes a number: 1 GB for 690,000 tokens of width 768), it saves their forward pass in every
epoch after the first.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.training.data.batches import Encoded, bucketed, collate
from models.training.encoder.network import HeadedEncoder, layers_of, pad_token
from models.training.encoder.tensors import to_tensors

__all__ = ["FrozenLayers", "HiddenStates", "freeze", "keep_hidden_states"]

_BATCH_ROWS = 64
_MARKED_BATCHES = 20
"""A pass cut off loses at most so many batches: about a minute of a large encoder on two cores."""


class HiddenStates:
    """Token vectors of texts, ragged, in a file of float16: `rows` of them as float32 [rows, longest, width]."""

    def __init__(self, path: Path, lengths: Sequence[int], width: int) -> None:
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        self._lengths = lengths
        self._values = np.memmap(path, np.float16, "r", shape=(int(self._starts[-1]), width))

    def rows(self, numbers: Sequence[int]) -> npt.NDArray[np.float32]:
        """Returns the vectors of the texts `numbers`, padded with zeros."""
        longest = max(self._lengths[number] for number in numbers)
        found = np.zeros((len(numbers), longest, self._values.shape[1]), np.float32)
        for at, number in enumerate(numbers):
            start, length = self._starts[number], self._lengths[number]
            found[at, :length] = self._values[start : start + length]
        return found


class _Replay(nn.Module):
    """Stands where the frozen layers were and answers with what they said of the batch in hand."""

    def __init__(self, like: Any) -> None:
        super().__init__()
        self.current: torch.Tensor | None = None
        self._in_tuple = isinstance(like, tuple)

    def forward(self, hidden: torch.Tensor, *_: Any, **__: Any) -> Any:
        answer = hidden if self.current is None else self.current.to(hidden.dtype)
        return (answer,) if self._in_tuple else answer


class FrozenLayers:
    """The lowest layers of a network, taken out of it while it trains; `put_back` makes it whole again."""

    def __init__(
        self, network: HeadedEncoder, taken: Sequence[nn.Module], replay: _Replay, states: HiddenStates
    ) -> None:
        self._network = network
        self._taken = list(taken)
        self._replay = replay
        self._states = states

    def prepare(self, numbers: Sequence[int], device: torch.device) -> None:
        """Makes the next pass of the network one over the texts `numbers`."""
        self._replay.current = torch.from_numpy(self._states.rows(numbers)).to(device)

    def put_back(self) -> None:
        """Gives the network its layers back."""
        layers = layers_of(self._network.encoder)
        _replace(layers, [*self._taken, *list(layers)[1:]])

    def take_out(self) -> None:
        """Puts the replay in the place of the frozen layers."""
        layers = layers_of(self._network.encoder)
        _replace(layers, [self._replay, *list(layers)[len(self._taken) :]])


def freeze(network: HeadedEncoder, layers: int, *, embeddings: bool) -> None:
    """Lets the lowest `layers` learn nothing, nor the embeddings and whatever else feeds those layers."""
    if layers:
        above = list(layers_of(network.encoder))[layers:]
        learning = [one for layer in above for one in layer.parameters() if one.requires_grad]
        network.encoder.requires_grad_(False)
        for one in learning:
            one.requires_grad_(True)
    elif embeddings:
        network.encoder.get_input_embeddings().requires_grad_(False)
        network.encoder.embeddings.requires_grad_(False)


def keep_hidden_states(
    network: HeadedEncoder,
    rows: Sequence[Encoded],
    layers: int,
    folder: Path,
    device: torch.device,
    advance: Callable[[int], None],
) -> FrozenLayers:
    """Runs the lowest `layers` over `rows` unless `folder` holds the result, and takes them out of the network.

    The file's name is a digest of the weights and the token numbers, so a result of other weights is never used.
    `advance` is called with the number of further rows that are done.
    """
    lengths = [len(row.ids) for row in rows]
    width = int(network.encoder.config.hidden_size)
    path = folder / f"hidden-{_digest(network, rows, layers)}.f16"
    taken = list(layers_of(network.encoder))[:layers]
    like: list[Any] = []
    hook = taken[-1].register_forward_hook(lambda _module, _inputs, output: like.append(output))
    _first_pass(network, rows[:1], device)
    hook.remove()
    if not path.exists():
        _write(network, rows, lengths, layers, path, device, advance)
    frozen = FrozenLayers(network, taken, _Replay(like[0]), HiddenStates(path, lengths, width))
    frozen.take_out()
    return frozen


def _write(
    network: HeadedEncoder,
    rows: Sequence[Encoded],
    lengths: Sequence[int],
    layers: int,
    path: Path,
    device: torch.device,
    advance: Callable[[int], None],
) -> None:
    whole = list(layers_of(network.encoder))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, marker = path.with_suffix(".partial"), path.with_suffix(".batches")
    finished = int(marker.read_text(encoding="utf-8")) if marker.exists() and partial.exists() else 0
    shape = (int(starts[-1]), int(network.encoder.config.hidden_size))
    values = np.memmap(partial, np.float16, "r+" if finished else "w+", shape=shape)
    said: list[torch.Tensor] = []
    hook = whole[layers - 1].register_forward_hook(
        lambda _module, _inputs, output: said.append(output[0] if isinstance(output, tuple) else output)
    )
    _replace(layers_of(network.encoder), whole[:layers])
    for count, numbers in enumerate(bucketed(lengths, _BATCH_ROWS, None), start=1):
        advance(len(numbers))
        if count <= finished:
            continue
        _first_pass(network, [rows[number] for number in numbers], device)
        vectors = said.pop().to(torch.float16).cpu().numpy()
        for at, number in enumerate(numbers):
            values[starts[number] : starts[number] + lengths[number]] = vectors[at, : lengths[number]]
        if count % _MARKED_BATCHES == 0:
            values.flush()
            marker.write_text(str(count), encoding="utf-8")
    hook.remove()
    _replace(layers_of(network.encoder), whole)
    values.flush()
    del values
    partial.replace(path)
    marker.unlink(missing_ok=True)


@torch.no_grad()
def _first_pass(network: HeadedEncoder, rows: Sequence[Encoded], device: torch.device) -> None:
    was_training = network.training
    network.eval()
    batch = to_tensors(collate(rows, {}, pad_token(network)), device)
    network.encoder(input_ids=batch.ids, attention_mask=batch.mask)
    network.train(was_training)


def _replace(layers: nn.ModuleList, wanted: Sequence[nn.Module]) -> None:
    del layers[:]
    layers.extend(wanted)


def _digest(network: HeadedEncoder, rows: Sequence[Encoded], layers: int) -> str:
    digest = hashlib.blake2b(str(layers).encode(), digest_size=12)
    for name, parameter in network.encoder.named_parameters():
        if not parameter.requires_grad:
            digest.update(name.encode() + parameter.detach().cpu().numpy().tobytes())
    for row in rows:
        digest.update(np.asarray(row.ids, np.int64).tobytes() + b"|")
    return digest.hexdigest()
