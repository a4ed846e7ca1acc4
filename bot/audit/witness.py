"""Compares the store with its audit channel, which the database cannot alter, both ways.

What a message vouches for must be on the log; and what the log lists as posted must be there.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, is_genuine
from bot.audit.verifier import ChainError


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message of the bot in the audit channel.

    Attributes:
        seal: The record and hash that its metadata vouches for; None if it does not.
        is_changed: Whether Slack shows that it was edited.
    """

    ts: str
    seal: SignedCheckpoint | None
    text: str
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """What a record says of a message in the audit channel.

    Attributes:
        record: Number of the record.
        ts: Of an audit line; empty for a checkpoint, whose hash finds it.
        seal: Number of the record that the message vouches for.
        hash: Of a checkpoint, the hash of that record; of a line, its `text_digest`.
    """

    record: int
    ts: str
    seal: int
    hash: str


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The result of comparing the store with the checkpoints of the audit channel.

    Attributes:
        compared: How many checkpoints match the store.
        older: How many belong to records that have been removed since.
        keys: Number of matching checkpoints by public key.
        found: The first one that does not match.
    """

    compared: int
    older: int
    keys: Mapping[str, int]
    found: ChainError | None


def compare(
    checkpoints: Iterable[SignedCheckpoint], lookup: Callable[[int], str | None], removed: int
) -> Witnessed:
    """Compare the store with the checkpoints that were posted to the audit channel.

    Args:
        checkpoints: As read from the channel.
        lookup: Returns the hash of a stored record.
        removed: Number of the last record that was removed for its age.
    """
    compared = older = 0
    keys: dict[str, int] = {}
    last = removed
    for checkpoint in sorted(checkpoints, key=lambda one: one.seq):
        if checkpoint.seq < removed:
            older += 1
            continue
        where = _name(checkpoint)
        if not is_genuine(checkpoint):
            found = ChainError(checkpoint.seq, "forged", f"the signature of {where} does not hold")
            return Witnessed(compared, older, keys, found)
        stored = lookup(checkpoint.seq)
        if stored is None:
            found = ChainError(
                checkpoint.seq, "cut off", f"there is no record {checkpoint.seq}, but {where}"
            )
            return Witnessed(compared, older, keys, found)
        if stored != checkpoint.hash:
            why = f"{where} has another hash: a record from {last + 1} on was rewritten"
            return Witnessed(compared, older, keys, ChainError(last + 1, "rewritten", why))
        compared, last = compared + 1, checkpoint.seq
        keys[checkpoint.key] = keys.get(checkpoint.key, 0) + 1
    return Witnessed(compared, older, keys, None)


def unsaid(
    posted: Iterable[PostedMessage],
    listed: Iterable[ListedMessage],
    waiting: Collection[tuple[int, str]],
) -> ChainError | None:
    """Return the first message that the log lists and the channel lacks, or has otherwise.

    Args:
        posted: As read from the channel, after everything that is listed was posted.
        listed: In the order of the records.
        waiting: Number and hash of the checkpoints that are still to be posted.
    """
    by_ts: dict[str, PostedMessage] = {}
    by_seal: dict[tuple[int, str], PostedMessage] = {}
    for one in posted:
        by_ts[one.ts] = one
        if one.seal is not None and one.seal.kind is CheckpointKind.CHECKPOINT:
            by_seal[one.seal.seq, one.seal.hash] = one
    for each in listed:
        if each.ts:
            what = f"the message {each.ts} that record {each.record} lists"
            wrong = _wrong(by_ts.get(each.ts), each)
        elif (each.seal, each.hash) not in waiting:
            what = f"the checkpoint of record {each.seal}"
            wrong = _wrong(by_seal.get((each.seal, each.hash)), each)
        else:
            continue
        if wrong:
            return ChainError(each.record, wrong, f"{what} was {_WRONG[wrong]}")
    return None


_LABEL = re.compile(r"(<[#@!][^|<>]*)\|[^<>]*>")


def text_digest(text: str) -> str:
    """Return the sha256 of a message's text, without the names that Slack adds to ids.

    A channel or a person may get another name, and older messages show it.
    """
    return sha256(_LABEL.sub(r"\1>", text).encode()).hexdigest()


_WRONG = {"missing": "removed from the audit channel", "altered": "changed in the audit channel"}


def _wrong(found: PostedMessage | None, listed: ListedMessage) -> str:
    if found is None:
        return "missing"
    if found.seal is None or found.seal.seq != listed.seal or found.is_changed:
        return "altered"
    if listed.ts:
        same = not listed.hash or text_digest(found.text) == listed.hash
    else:
        same = listed.hash in found.text
    return "" if same else "altered"


def _name(seal: SignedCheckpoint) -> str:
    if seal.kind is CheckpointKind.CHECKPOINT:
        return f"the checkpoint of record {seal.seq} in the audit channel"
    return f"what a message in the audit channel says of record {seal.seq}"
