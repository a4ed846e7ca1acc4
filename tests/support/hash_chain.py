"""A chain of audit records and its signed checkpoints, made for tests."""

from collections.abc import Sequence
from typing import Any

from bot.audit import hash_chain as chain
from bot.audit import verification
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, Signer
from bot.audit.hash_chain import GENESIS, KEY, PRUNED, Fact, Raw
from bot.audit.verifier import Report

OURS, THEIRS = Signer(b"o" * 32), Signer(b"t" * 32)
HEAD, CHECKPOINT, TOMBSTONE = (
    CheckpointKind.HEAD,
    CheckpointKind.CHECKPOINT,
    CheckpointKind.TOMBSTONE,
)
AT = 1_700_000_000.25


def linked(facts: Sequence[Fact], first: int = 1, last: str = GENESIS) -> list[Raw]:
    rows: list[Raw] = []
    for seq, fact in enumerate(facts, first):
        at = round(AT + seq // 3 * 0.37, 6)
        body = chain.canonical(seq, at, fact)
        last = chain.digest(last, body)
        row = (fact.kind, fact.operation, body, last)
        rows.append((seq, at, *(text.encode() for text in row)))  # type: ignore[arg-type] # four
    return rows


def facts(count: int) -> list[Fact]:
    found: list[Fact] = [
        Fact("ended", f"op{number}", {"request_id": f"r{number}", "took": 0.125})
        for number in range(1, count + 1)
    ]
    found[0] = Fact(KEY, "", {"key": OURS.public})
    if count > 3:
        found[3] = Fact('said "so"', "ö p", {"user": "U0ÄLICE"})
    return found


def seal(
    rows: Sequence[Raw], seq: int, kind: CheckpointKind = HEAD, signer: Signer = OURS
) -> SignedCheckpoint:
    hash_ = next(row[5] for row in rows if row[0] == seq).decode()
    return signer.sign(kind, seq, hash_, AT)


def verified(rows: Sequence[Raw], sealed: Sequence[SignedCheckpoint] = (), *trusted: str) -> Report:
    batches = [rows[at : at + 4] for at in range(0, len(rows), 4)]
    numbered = {row[0]: row for row in rows}
    return verification.verify(
        lambda: batches, lookup=numbered.get, checkpoints=sealed, trusted=trusted
    )


def told(report: Report) -> tuple[int, str]:
    assert report.found is not None
    return report.found.seq, report.found.what


COUNT = 10
ROWS = linked(facts(COUNT))
SEALS = (seal(ROWS, COUNT), seal(ROWS, 4, CHECKPOINT))


def pruned(signer: Signer = OURS, *, said: bool = True) -> tuple[list[Raw], list[SignedCheckpoint]]:
    tomb = seal(ROWS, 6, TOMBSTONE, signer)
    told_facts: dict[str, Any] = {"upto": 6, "hash": tomb.hash, "keys": [signer.public]}
    more = Fact(PRUNED, "", told_facts) if said else Fact("ended", "op1", {})
    rows = [*ROWS[6:], *linked([more], 11, ROWS[9][5].decode())]
    return rows, [tomb, seal(rows, 11)]
