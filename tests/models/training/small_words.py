"""A vocabulary of a few words, and its tokenizer."""

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

FILLERS = [f"{first}{second}" for first in "bdfgklmn" for second in ("a", "e", "i", "o", "u", "ar", "ol")]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "acme", "oreon", "rises", "falls", "meets", "as", *FILLERS]


def write_tokenizer(folder: Path) -> None:
    """Write the tokenizer of `WORDS` to `folder`."""
    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(folder / "tokenizer.json"))
