"""Signed checkpoints: statements of where the audit log ended at some time.

Write access to the database is enough to compute a new chain of hashes, but not to sign it.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED = 32
"""Bytes of a private key."""

_PREFIX = "seal"
_HASH = 64
_PARTS = 7


class CheckpointKind(StrEnum):
    """What a checkpoint says of its record."""

    HEAD = "head"
    """It is the last one; replaced by every transaction."""
    CHECKPOINT = "checkpoint"
    """It was the last one; kept, and posted to the audit channel."""
    TOMBSTONE = "tombstone"
    """It and all before it were removed at the end of their retention."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A statement about one record, signed.

    Attributes:
        seq: The record's number.
        hash: The record's hash, hex.
        at: When it was signed, by the store's clock.
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
    """Return what is signed: five lines, each with its line feed.

    A head and a checkpoint say the same: the trail ended there then.
    """
    says = "tombstone" if kind is CheckpointKind.TOMBSTONE else "end"
    return f"stopstream trail\n{says}\n{seq}\n{hash_}\n{round(at, 6)!r}\n".encode()


class Signer:
    """Signs with a private key, which is never shown.

    Args:
        seed: The 32 bytes of RFC 8032.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = base64.b64encode(raw).decode()
        """The public key, base64."""

    def derive(self, purpose: str) -> bytes:
        """Return a key of its own for another purpose, by HKDF from the private key."""
        derivation = HKDF(algorithm=SHA256(), length=SEED, salt=None, info=purpose.encode())
        return derivation.derive(self._key.private_bytes_raw())

    def sign(self, kind: CheckpointKind, seq: int, hash_: str, at: float) -> SignedCheckpoint:
        """Return the signed checkpoint of a record."""
        at = round(at, 6)
        signed = base64.b64encode(self._key.sign(statement(kind, seq, hash_, at))).decode()
        return SignedCheckpoint(kind, seq, hash_, at, self.public, signed)

    def sign_bundle(self, manifest: str) -> str:
        """Return the signature, base64, over the sha256 (hex) of a bundle's manifest."""
        says = f"stopstream bundle\n{manifest}\n".encode()
        return base64.b64encode(self._key.sign(says)).decode()

    def sign_successor(self, successor: str, seq: int, previous: str) -> str:
        """Return the signature that `is_successor` verifies."""
        says = successor_statement(self.public, successor, seq, previous)
        return base64.b64encode(self._key.sign(says)).decode()


def is_genuine(checkpoint: SignedCheckpoint) -> bool:
    """Return whether the signature is valid for the key and the statement."""
    says = statement(checkpoint.kind, checkpoint.seq, checkpoint.hash, checkpoint.at)
    return _holds(checkpoint.key, checkpoint.signature, says)


def _holds(key: str, signature: str, says: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key)).verify(_decoded(signature), says)
    except (InvalidSignature, ValueError):
        return False
    return True


def successor_statement(key: str, successor: str, seq: int, previous: str) -> bytes:
    """Return what a key signs of the one that follows it: five lines, each with its line feed.

    Args:
        seq: Number of the record that says so.
        previous: Hash of the record before it, so that the statement belongs to this place alone.
    """
    return f"stopstream key\n{key}\n{successor}\n{seq}\n{previous}\n".encode()


def is_successor(key: str, successor: str, seq: int, previous: str, signature: str) -> bool:
    """Return whether a key has signed that another one follows it at this record."""
    return _holds(key, signature, successor_statement(key, successor, seq, previous))


def fingerprint(key: str) -> str:
    """Return the short name of a public key: the first 16 digits of its sha256."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def format_checkpoint(checkpoint: SignedCheckpoint) -> str:
    """Return a checkpoint as one word, as it is posted to the audit channel."""
    at = repr(round(checkpoint.at, 6))
    parts = (
        _PREFIX,
        checkpoint.kind.value,
        str(checkpoint.seq),
        at,
        checkpoint.hash,
        checkpoint.key,
        checkpoint.signature,
    )
    return ":".join(parts)


def parse_checkpoint(text: str) -> SignedCheckpoint | None:
    """Read what `format_checkpoint` returned; None if it is anything else."""
    parts = text.split(":")
    if len(parts) != _PARTS or parts[0] != _PREFIX or len(parts[4]) != _HASH:
        return None
    try:
        checkpoint = SignedCheckpoint(
            CheckpointKind(parts[1]), int(parts[2]), parts[4], float(parts[3]), *parts[5:]
        )
    except ValueError:
        return None
    return checkpoint if format_checkpoint(checkpoint) == text else None


def is_key(text: str) -> bool:
    """Return whether a text is a public key."""
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
