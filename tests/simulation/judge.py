"""What must be so after a run, whatever has happened in it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bot.audit.hash_chain import stored_facts
from bot.catalog.registry import by_api
from bot.model.messages import MessageKind
from bot.model.operations import State
from bot.operations.results import Accepted, NotRecorded, Reply
from bot.storage.audit_snapshot import AuditSnapshot
from tests.simulation.database import MemoryDatabase
from tests.simulation.machine import SIGNER
from tests.simulation.outside import AUDIT, Seen

_UNSENT = "Nothing was sent"

_RAN = {State.ACCEPTED, State.ALREADY, State.UNKNOWN}
"""Endings of what may have run."""

_ENDED = frozenset({"ended", "denied", "cancelled", "expired", "joined"})
"""Kinds of the records with which an operation is over."""


def judge(database: MemoryDatabase, seen: Seen, replies: Sequence[tuple[str, Reply]]) -> list[str]:
    """Return what is wrong.

    Args:
        replies: What people heard of what they asked, by its key.
    """
    rows = database.rows("SELECT id, key, state, api, attempts FROM operations")
    trail = database.rows("SELECT operation, kind, body FROM trail ORDER BY seq")
    ran = Counter(request.operation for request in seen.requests if request.ran)
    return [
        *_lives(rows, trail, ran),
        *_replies(rows, ran, replies),
        *_request_ids(trail, seen),
        *_messages(rows, seen),
        *_placed(database, trail, seen),
        *_verified(database),
    ]


def _lives(rows: list[Any], trail: list[Any], ran: Counter[str]) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for operation, kind, _ in trail:
        kinds.setdefault(operation, []).append(kind)
    wrong = []
    for id_, _, state, api, _ in rows:
        life = kinds.get(id_, [])
        ends = sum(kind in _ENDED for kind in life)
        if ends != 1:
            wrong.append(f"{id_} is {state} and has ended {ends} times: {life}")
        if ran[id_] and State(state) not in _RAN:
            wrong.append(f"{id_} is {state}, and it ran")
        if State(state) is State.ACCEPTED and not ran[id_]:
            wrong.append(f"{id_} is accepted, and it never ran")
        if ran[id_] > 1 and not by_api(api).repeatable:
            wrong.append(f"{id_} ran {ran[id_]} times, and must not be repeated")
        if ran[id_] and not {"allowed", "decided"} & set(life):
            wrong.append(f"{id_} ran, and nobody let it pass: {life}")
    return wrong


def _replies(rows: list[Any], ran: Counter[str], replies: Sequence[tuple[str, Reply]]) -> list[str]:
    ids = {key: id_ for id_, key, *_ in rows}
    wrong = []
    for key, reply in replies:
        if isinstance(reply, Accepted) and ids.get(key) != reply.operation.id:
            wrong.append(f"{key} was taken, and is not on file")
        if isinstance(reply, NotRecorded) and _UNSENT in reply.sentence and ran[ids.get(key, "")]:
            wrong.append(f"{key}: told that nothing was sent, and it ran")
    return wrong


def _request_ids(trail: list[Any], seen: Seen) -> list[str]:
    """Compare what was answered to a machine that lives with what is on the trail."""
    known = {stored_facts(body).get("request_id") for _, _, body in trail}
    details = " ".join(body for _, _, body in trail)
    return [
        f"{one.request_id} of {one.operation} is not on the trail"
        for one in seen.requests
        if one.answered_at is not None
        and one.machine.crashed_at is None
        and one.request_id not in known
        and f"{one.request_id})" not in details
    ]


def _messages(rows: list[Any], seen: Seen) -> list[str]:
    wrong = _twice(seen)
    for id_, _, state, *_ in rows:
        card = seen.posted.get(f"{id_}:{MessageKind.CARD.value}")
        if card is not None and card.state is not State(state):
            wrong.append(f"{id_} is {state}, and its card says {card.state}")
        ending = f"{id_}:{MessageKind.ENDING.value}:{state}"
        if card is not None and ending not in seen.posted:
            wrong.append(f"{id_} is {state}, and its thread does not say so")
    return wrong


def _placed(database: MemoryDatabase, trail: list[Any], seen: Seen) -> list[str]:
    """Return what the database says of cards and deliveries that do not stand in Slack."""
    standing = {one.ts for one in seen.standing}
    cards = database.rows("SELECT id, card_ts FROM operations WHERE card_ts != ''")
    wrong = [f"the card of {id_} does not stand" for id_, ts in cards if ts not in standing]
    delivered = [(id_, stored_facts(body)) for id_, kind, body in trail if kind == "delivered"]
    # What is too many is recorded, too, with the one that counts.
    counts = [(id_, facts) for id_, facts in delivered if facts.get("ts") and "counts" not in facts]
    return wrong + [
        f"{facts['owed']} of {id_} was delivered, and does not stand"
        for id_, facts in counts
        if facts["ts"] not in standing
    ]


def _twice(seen: Seen) -> list[str]:
    """Return what stands twice, but for what its poster could not know of or must not remove."""
    left = [
        one
        for one in seen.standing
        if one.late and (one.machine.crashed_at is not None or one.lane[0] == AUDIT)
    ]
    counts = Counter(one.key for one in seen.standing if one not in left)
    return [f"{key} stands {count} times" for key, count in counts.items() if count > 1]


def _verified(database: MemoryDatabase) -> list[str]:
    """Return what `stopstream audit verify` would say."""
    with database.engine.connect().execution_options(reads=True) as connection:
        audited = AuditSnapshot(connection)
        broken = audited.verify((SIGNER.public,), lambda _seq: None).found or audited.first_gap()
    tampered = database.rows("SELECT body FROM trail WHERE kind = 'tampered'")
    return [
        *([f"the trail: {broken}"] if broken else []),
        *(f"tampered: {one}" for one in tampered),
    ]
