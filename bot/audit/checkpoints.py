"""Seals: signed statements of where the trail ended at some moment; pure.

Whoever can write the database can make a chain of hashes anew; without the key nobody can
make a seal for it.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED = 32
"""Bytes of a private key."""

_PREFIX = "seal"
_HASH = 64
_PARTS = 7


class CheckpointKind(StrEnum):
    """What a seal says of the record it names."""

    HEAD = "head"
    """It is the last one: renewed by every transaction."""
    CHECKPOINT = "checkpoint"
    """It was the last one: kept, and posted to the audit channel."""
    TOMBSTONE = "tombstone"
    """It and all before it were removed, for they were older than is kept."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A statement about one record, signed.

    Attributes:
        seq: The record's number.
        hash: The record's hash, hex.
        at: When it was sealed, by the store's clock.
        key: The public key, base64.
        signature: Ed25519 over `statement`, base64.
    """

    kind: CheckpointKind
    seq: int
    hash: str
    at: float
    key: str
    signature: str


def statement(kind: CheckpointKind, seq: int, hash_: str, at: float) -> bytes:
    """Write what is signed: five lines, each with its line feed.

    A head and a checkpoint say the same: the trail ended there then.
    """
    says = "tombstone" if kind is CheckpointKind.TOMBSTONE else "end"
    return f"stopstream trail\n{says}\n{seq}\n{hash_}\n{round(at, 6)!r}\n".encode()


class Signer:
    """Holds a private key; nothing of it is ever shown.

    Args:
        seed: The 32 bytes of RFC 8032.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = base64.b64encode(raw).decode()
        """The public key, base64."""

    def seal(self, kind: CheckpointKind, seq: int, hash_: str, at: float) -> SignedCheckpoint:
        """Sign a statement."""
        at = round(at, 6)
        signed = base64.b64encode(self._key.sign(statement(kind, seq, hash_, at))).decode()
        return SignedCheckpoint(kind, seq, hash_, at, self.public, signed)


def is_genuine(seal: SignedCheckpoint) -> bool:
    """Say whether the signature is that of the key over this very statement."""
    try:
        public = Ed25519PublicKey.from_public_bytes(_decoded(seal.key))
        public.verify(_decoded(seal.signature), statement(seal.kind, seal.seq, seal.hash, seal.at))
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: str) -> str:
    """Give a public key's short name, for people: the first 16 digits of its sha256."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def format_checkpoint(seal: SignedCheckpoint) -> str:
    """Write a seal as one word, as the audit channel keeps it."""
    at = repr(round(seal.at, 6))
    parts = (_PREFIX, seal.kind.value, str(seal.seq), at, seal.hash, seal.key, seal.signature)
    return ":".join(parts)


def parse_checkpoint(text: str) -> SignedCheckpoint | None:
    """Read a word of `written` back; None if it is none."""
    parts = text.split(":")
    if len(parts) != _PARTS or parts[0] != _PREFIX or len(parts[4]) != _HASH:
        return None
    try:
        seal = SignedCheckpoint(
            CheckpointKind(parts[1]), int(parts[2]), parts[4], float(parts[3]), *parts[5:]
        )
    except ValueError:
        return None
    return seal if format_checkpoint(seal) == text else None


def is_key(text: str) -> bool:
    """Say whether a text is a public key."""
    try:
        return len(_decoded(text)) == SEED
    except ValueError:
        return False


def seed(text: str) -> bytes:
    """Read a private key: 32 bytes in base64 or hex.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * SEED else _decoded(text)
    except ValueError:
        raw = b""
    if len(raw) != SEED:
        raise ValueError(f"is not {SEED} bytes in base64 or hex")
    return raw


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
