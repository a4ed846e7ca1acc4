"""The callbacks of Tencent Cloud Live: their signature, and what they say; pure.

Source: https://www.tencentcloud.com/document/product/267/38080
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.hooks import moderation, snapshots
from bot.hooks.bounded_json import MalformedError, parse_object
from bot.hooks.fields import name_of
from bot.hooks.secrets import is_any_of
from bot.model.alerts import Notice
from bot.model.live_notices import LiveNotice, NoticeKind, Snapshot

AHEAD_MOST = 1800.0
"""Seconds by which `t`, when a notice expires, may be ahead; by default it is 600 s."""

_KINDS: Mapping[int, NoticeKind] = {1: NoticeKind.BEGAN, 0: NoticeKind.ENDED}
"""By `event_type`."""

_KEY_LEAST, _KEYS_MOST = 16, 2

_LONGEST = 256
"""Characters of a name in a notice, at most."""

_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RefusedNotice:
    """A notice that is not taken.

    Attributes:
        why: One word, for the metrics: `malformed`, `forged`, `expired` or `far-future`.
    """

    why: str

    @property
    def is_malformed(self) -> bool:
        """Whether it is no notice at all."""
        return self.why == "malformed"


@dataclass(frozen=True, slots=True)
class OtherNotice:
    """A genuine notice of a type that this program has no use for."""

    event_type: int


Received: TypeAlias = LiveNotice | Notice | Snapshot | OtherNotice | RefusedNotice
"""A Notice is one of content moderation."""


def split_keys(value: str) -> tuple[str, ...]:
    """Return the callback keys of a setting: one, or two while one replaces the other."""
    return tuple(key for part in value.split(",") if (key := part.strip()))


def check_callback_keys(value: str) -> None:
    """Refuse keys that can be guessed: whoever has seen one notice can try them without end.

    Raises:
        ValueError: Says what is wrong, without the key.
    """
    keys = split_keys(value)
    if not keys or len(keys) > _KEYS_MOST:
        raise ValueError(f"holds {len(keys)} keys: one, or two with a comma between")
    if any(len(key) < _KEY_LEAST for key in keys):
        raise ValueError(f"has less than {_KEY_LEAST} characters, so it can be guessed")


def signature(key: str, expires: int) -> str:
    """Return the `sign` of a notice: the MD5 of the callback key followed by `t`."""
    return hashlib.md5(f"{key}{expires}".encode(), usedforsecurity=False).hexdigest()


def read_notice(body: bytes, keys: Mapping[str, Sequence[str]], *, now: float) -> Received:
    """Return what the body of a callback says, once its signature and its time are right.

    Args:
        keys: The callback keys of each account, by its name.
        now: Epoch seconds.
    """
    said = _object(body)
    expires, event_type = _whole(said.get("t")), _whole(said.get("event_type"))
    if expires is None or event_type is None:
        return RefusedNotice("malformed")
    account = _signer(str(said.get("sign", "")), expires, keys)
    if account is None:
        return RefusedNotice("forged")
    if not now <= expires <= now + AHEAD_MOST:
        return RefusedNotice("expired" if expires < now else "far-future")
    if event_type in _KINDS:
        return _push_notice(said, account, _KINDS[event_type])
    return _of_picture(said, account, event_type, now)


def _of_picture(said: Mapping[str, Any], account: str, event_type: int, now: float) -> Received:
    """Return a notice of content moderation or of a picture that was taken; any other as such."""
    try:
        if event_type == snapshots.KIND:
            return snapshots.parse(said, account)
        if event_type in moderation.KINDS:
            found = moderation.parse({**said, "event_type": event_type}, account, now=now)
            return found or OtherNotice(event_type)
    except ValueError:
        return RefusedNotice("malformed")
    return OtherNotice(event_type)


def _object(body: bytes) -> Mapping[str, Any]:
    """Return the object that a text of JSON is; empty if it is none."""
    try:
        return parse_object(body)
    except MalformedError:
        return {}


def _signer(sign: str, expires: int, keys: Mapping[str, Sequence[str]]) -> str | None:
    """Return the account whose key signed a notice; every key is tried, in constant time."""
    given = sign.casefold()
    signers = [
        account
        for account, some in keys.items()
        if is_any_of(given, [signature(key, expires) for key in some])
    ]
    return signers[0] if signers else None


def _push_notice(said: Mapping[str, Any], account: str, kind: NoticeKind) -> Received:
    """Return a notice about a push. Its `stream_param`, which may hold a key, is not read."""
    stream, domain, app = (name_of(said.get(name)) for name in ("stream_id", "app", "appname"))
    at = _whole(said.get("event_time"))
    if not stream or not domain or not app or at is None:
        return RefusedNotice("malformed")
    sequence = str(said.get("sequence", ""))[:_LONGEST]
    return LiveNotice(account, kind, stream, domain.casefold(), app, float(at), sequence)


def _whole(value: object) -> int | None:
    """Return a whole number of at most 12 digits, which may be given as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**12 else ""
    return int(text) if _WHOLE.fullmatch(text) else None
