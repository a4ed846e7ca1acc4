"""Makes the ids of operations."""

import base64
import secrets
import time


def new_id(now: float | None = None) -> str:
    """Return a new id: 40 bits of time and 40 random ones, short enough for a phone.

    Ids of one time are neighbours in the indexes, so that a million older ones do not slow
    down the new.

    Args:
        now: Epoch seconds; None for now.
    """
    if not _RANDOM:
        # The system is asked for many at once: each call lets other threads go first.
        many = secrets.token_bytes(5 * 512)
        _RANDOM.extend(many[at : at + 5] for at in range(0, len(many), 5))
    millis = int((time.time() if now is None else now) * 1000) % 2**40
    return base64.b32encode(millis.to_bytes(5, "big") + _RANDOM.pop()).decode().lower()


_RANDOM: list[bytes] = []
