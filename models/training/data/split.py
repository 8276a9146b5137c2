"""Which texts are held out: decided by the text alone, so that every machine and every run agree."""

import hashlib

__all__ = ["in_share"]


def in_share(key: str, share: float, salt: str = "") -> bool:
    """Returns whether the text with the leak key `key` is among the `share` of all texts that is held out.

    Another `salt` draws other texts.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=4, salt=salt.encode()[:16]).digest()
    return int.from_bytes(digest, "big") < share * 2**32
