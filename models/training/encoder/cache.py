"""Where a pretrained encoder is: a folder, a name in the cache, or a name that a model hub knows."""

import os
from pathlib import Path

from models.training.errors import TrainingError

__all__ = ["cached_encoders", "find_encoder"]


def cached_encoders() -> Path:
    """Returns the folder that `deploy/setup/fetch-encoder` fills."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moodwire" / "encoders"


def find_encoder(name: str) -> Path:
    """Returns the folder of the encoder `name`: that folder itself, the best of that run, or the cached one.

    A name with a slash is asked of the Hugging Face hub, which keeps it in a cache of its own. Raises
    `TrainingError` with the command that fetches it when it is in none of these places.
    """
    given = Path(name).expanduser()
    for folder in (given, given / "best", cached_encoders() / name, cached_encoders() / name.rpartition("/")[2]):
        if (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file():
            return folder
    if "/" in name and not Path(name).is_absolute():
        return _from_hub(name)
    there = sorted(path.parent.name for path in cached_encoders().glob("*/config.json"))
    raise TrainingError(
        f"no encoder {name!r}: no folder with config.json and tokenizer.json, and not in the cache (there: "
        f"{', '.join(there) or 'none'}); fetch one with deploy/setup/fetch-encoder all-MiniLM-L6-v2"
    )


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.safetensors"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises kinds of its own and of httpx, requests and OSError
        reason = str(error).strip().partition("\n")[0]
        raise TrainingError(
            f"the encoder {name!r} is in no cache and could not be had from the hub: {reason}"
        ) from error
