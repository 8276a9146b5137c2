"""Other ways to run the same model on the same texts; each is a class with `name` and `labels_of`.

    PipelinePeer      transformers.pipeline, PyTorch in float32, its batch size chosen among several
    PlainOrtPeer      onnxruntime in float32, batches of 32 in the order given, padded to the longest text of all
    OpenVinoPeer      OpenVINO for throughput, batches sorted by length
    CTranslate2Peer   CTranslate2 in int8, a worker a core, batches sorted by length

What a peer needs and this Python lacks makes `ImportError` at its making.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models import Artifact, normalise, token_budget_batches
from models.artifact import TOKENIZER
from models.runtime import import_runtime
from models.tokens import padded
from tests.bench.model_weights import Weights, activation_of, float_weights

__all__ = ["PEERS", "Peer", "SameModel"]

Labels = npt.NDArray[np.int64]
HEAD = "sentiment"
BUDGET = 512
"""Tokens a batch for the peers that we sort for; larger ones gained none of them anything."""


class Peer(Protocol):
    """Scores texts its own way."""

    name: str

    def labels_of(self, texts: Sequence[str]) -> Labels:
        """Return the number of each text's sentiment, int64 [texts]."""


@dataclass(frozen=True, slots=True)
class SameModel:
    """The shipped model, taken apart for peers; `folder` is a place for what they write."""

    artifact: Artifact
    weights: Weights
    activation: str
    folder: Path
    threads: int

    @classmethod
    def take_apart(cls, artifact: Artifact, folder: Path, threads: int) -> SameModel:
        network = artifact.path / "model.onnx"
        return cls(artifact, float_weights(network), activation_of(network), folder, threads)

    def encoder(self) -> Any:
        """The encoder as Transformers knows it, in float32."""
        import torch
        from transformers import BertModel

        encoder = BertModel(self.config(), add_pooling_layer=False)
        state = {name: torch.from_numpy(one) for name, one in self.weights.items() if not name.startswith("heads.")}
        encoder.load_state_dict(state)
        return encoder.eval()

    def config(self) -> Any:
        from transformers import BertConfig

        words, width = self.weights["embeddings.word_embeddings.weight"].shape
        layers = 1 + max(int(name.split(".")[2]) for name in self.weights if name.startswith("encoder.layer."))
        return BertConfig(
            vocab_size=words,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // 32,
            intermediate_size=self.weights["encoder.layer.0.intermediate.dense.weight"].shape[0],
            max_position_embeddings=len(self.weights["embeddings.position_embeddings.weight"]),
            hidden_act=self.activation,
            position_embedding_type="absolute",  # Transformers 5 knows no other, CTranslate2 asks for it
        )

    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.artifact.path / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.artifact.max_tokens)
        return tokenizer

    def head(self, mean: npt.NDArray[np.float32]) -> Labels:
        """The label of each row by the mean of its token vectors, [rows, width]."""
        logits = mean @ self.weights[f"heads.{HEAD}.weight"].T + self.weights[f"heads.{HEAD}.bias"]
        labels: Labels = logits.argmax(axis=1).astype(np.int64)
        return labels

    def onnx(self) -> bytes:
        """The network as float32 ONNX out of standard operators."""
        from models.training.data.heads import HeadSpec
        from models.training.graph.traced import build_traced

        kept = self.folder / "fp32.onnx"
        if not kept.exists():
            heads = {HEAD: HeadSpec("text", self.artifact.labels[HEAD])}
            kept.write_bytes(build_traced(self.encoder(), self.weights, heads, precision="fp32").SerializeToString())
        return kept.read_bytes()


class PipelinePeer:
    """transformers.pipeline as its documentation shows it."""

    def __init__(self, same: SameModel, batch_size: int) -> None:
        import torch
        from torch import nn
        from transformers import PreTrainedTokenizerFast, pipeline
        from transformers.modeling_outputs import SequenceClassifierOutput
        from transformers.models.bert import BertPreTrainedModel

        self.name = "transformers.pipeline"
        self.batch_size = batch_size
        torch.set_num_threads(same.threads)
        labels = same.artifact.labels[HEAD]

        class Classifier(BertPreTrainedModel):  # type: ignore[misc]  # Any without transformers
            def __init__(self, config: Any) -> None:
                super().__init__(config)
                self.bert = same.encoder()
                self.head = nn.Linear(config.hidden_size, len(labels))

            def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
                hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                return SequenceClassifierOutput(logits=self.head((hidden * mask).sum(1) / mask.sum(1)))

        Classifier.__name__ = "BertForSequenceClassification"  # or the pipeline lists 120 names that it knows
        config = same.config()
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        network = Classifier(config).eval()
        with torch.no_grad():
            for name, parameter in network.head.named_parameters():
                parameter.copy_(torch.from_numpy(same.weights[f"heads.{HEAD}.{name}"]))
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=same.tokenizer(), pad_token="[PAD]", model_max_length=same.artifact.max_tokens
        )
        self._numbers = config.label2id
        self._pipe = pipeline("text-classification", model=network, tokenizer=tokenizer, device="cpu")

    def labels_of(self, texts: Sequence[str]) -> Labels:
        given = self._pipe([normalise(text) for text in texts], batch_size=self.batch_size, truncation=True)
        return np.array([self._numbers[one["label"]] for one in given], np.int64)


class PlainOrtPeer:
    """What a first script does."""

    def __init__(self, same: SameModel) -> None:
        ort = import_runtime()
        self.name = "onnxruntime, plain loop"
        options = ort.SessionOptions()
        options.intra_op_num_threads = same.threads
        self._session = ort.InferenceSession(same.onnx(), options, providers=["CPUExecutionProvider"])
        self._tokenizer = same.tokenizer()

    def labels_of(self, texts: Sequence[str]) -> Labels:
        ids = [one.ids for one in self._tokenizer.encode_batch([normalise(text) for text in texts])]
        longest = max(map(len, ids))
        answers = []
        for start in range(0, len(ids), 32):
            fed = padded([*ids[start : start + 32], [0] * longest])
            for row, one in enumerate(ids[start : start + 32]):
                fed["attention_mask"][row, len(one) :] = 0
            answers.append(self._session.run([HEAD], {name: array[:-1] for name, array in fed.items()})[0])
        labels: Labels = np.concatenate(answers).argmax(axis=1).astype(np.int64)
        return labels


class OpenVinoPeer:
    """OpenVINO's own settings for throughput, and our sorting."""

    def __init__(self, same: SameModel) -> None:
        import openvino

        self.name = "OpenVINO"
        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": same.threads}
        self._compiled = core.compile_model(core.read_model(same.onnx()), "CPU", settings)
        self._queue = openvino.AsyncInferQueue(self._compiled)
        self._tokenizer = same.tokenizer()

    def labels_of(self, texts: Sequence[str]) -> Labels:
        ids = [one.ids for one in self._tokenizer.encode_batch([normalise(text) for text in texts])]
        found = np.zeros(len(ids), np.int64)

        def keep(request: Any, rows: Sequence[int]) -> None:
            found[list(rows)] = request.get_tensor(HEAD).data.argmax(axis=1)

        self._queue.set_callback(keep)
        for batch in token_budget_batches([len(one) for one in ids], BUDGET, 64):
            self._queue.start_async(padded([ids[row] for row in batch]), batch)
        self._queue.wait_all()
        return found


class CTranslate2Peer:
    """CTranslate2 in int8 with a worker a core, which suits it best, and our sorting."""

    def __init__(self, same: SameModel) -> None:
        import ctranslate2
        from ctranslate2.converters import TransformersConverter

        self.name = "CTranslate2"
        self._same = same
        source = same.folder / "bert"
        same.encoder().save_pretrained(source)
        _write_tokenizer(same, source)
        converted = str(same.folder / "ctranslate2")
        TransformersConverter(str(source)).convert(converted, quantization="int8", force=True)
        self._encoder = ctranslate2.Encoder(converted, compute_type="int8", inter_threads=same.threads, intra_threads=1)
        self._tokenizer = same.tokenizer()

    def labels_of(self, texts: Sequence[str]) -> Labels:
        ids = [one.ids for one in self._tokenizer.encode_batch([normalise(text) for text in texts])]
        found = np.zeros(len(ids), np.int64)

        def run(batch: Sequence[int]) -> None:
            hidden = np.array(self._encoder.forward_batch([ids[row] for row in batch]).last_hidden_state)
            mask = padded([ids[row] for row in batch])["attention_mask"][:, :, np.newaxis]
            found[list(batch)] = self._same.head((hidden * mask).sum(axis=1) / mask.sum(axis=1))

        with ThreadPoolExecutor(self._same.threads) as pool:
            list(pool.map(run, token_budget_batches([len(one) for one in ids], BUDGET, 64)[::-1]))
        return found


def _write_tokenizer(same: SameModel, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    words = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=same.tokenizer(), **words).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(sorted(_words(same), key=_words(same).__getitem__)), encoding="utf-8")


def _words(same: SameModel) -> dict[str, int]:
    vocabulary: dict[str, int] = json.loads(same.artifact.read(TOKENIZER))["model"]["vocab"]
    return vocabulary


PEERS: dict[str, Callable[[SameModel], Peer]] = {
    "transformers.pipeline, batch 8": lambda same: PipelinePeer(same, 8),
    "transformers.pipeline, batch 32": lambda same: PipelinePeer(same, 32),
    "onnxruntime, plain loop": PlainOrtPeer,
    "OpenVINO": OpenVinoPeer,
    "CTranslate2 int8": CTranslate2Peer,
}
