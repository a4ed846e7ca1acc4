"""The trail in a real database: sealed, tampered with, pruned, exported."""

import asyncio
import csv
import io
import json
import tracemalloc
import unittest.mock
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.audit import csv_rows as sheet
from bot.audit import signing_key as keys
from bot.audit.checkpoints import CheckpointKind, Signer, parse_checkpoint
from bot.audit.hash_chain import Fact
from bot.audit.verifier import Report
from bot.cli.audit_export import write_csv, write_jsonl
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, StrangeKeyError
from bot.metrics import Metrics
from bot.operations.checkpointer import Checkpointer
from bot.operations.retention import RetentionJob
from bot.storage import database
from bot.storage.store import Store
from bot.storage.writer import Transaction
from bot.supervision import Supervisor
from tests.conftest import opened
from tests.support.clocks import ManualClock
from tests.support.waiting import until

OURS, THEIRS = Signer(b"o" * 32), Signer(b"t" * 32)


def check(store: Store, *trusted: str) -> Report:
    with store.audit_log.snapshot() as audited:
        return audited.verify(trusted or (OURS.public,), lambda _seq: None)


async def fill(store: Store, count: int, begin: int = 0) -> None:
    for number in range(begin, begin + count):
        await store.audit_log.record(
            Fact("ended", f"op{number}", {"took": 0.1 * number, "user": "U0ÄLICE"})
        )


def tamper(url: str, *statements: str) -> None:
    """Change the database behind the program's back."""
    engine = database.connect(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


async def test_audit_log_signs_head_in_every_transaction(database_url: str) -> None:
    """Every transaction signs the head of the hash chain."""
    async with opened(database_url, signer=OURS) as store:
        await fill(store, 5)
        report = check(store)
        assert (report.count, report.found, report.sealed) == (6, None, 6)
        with store.audit_log.records() as records:
            assert next(records).kind == "key"


async def test_audit_log_replicas_share_one_chain(database_url: str) -> None:
    """Several replicas write one unbroken hash chain."""
    async with (
        opened(database_url, signer=OURS) as one,
        opened(database_url, owner="replica-2", signer=OURS) as two,
    ):
        await asyncio.gather(*(fill(store, 25, at) for at, store in enumerate((one, two))))
        report = check(one)

    assert (report.count, report.found, report.sealed) == (51, None, 51)


async def test_audit_log_refuses_a_replica_with_another_key(database_url: str) -> None:
    """A replica whose key is not the log's writes nothing, and the log goes on verifying."""
    async with (
        opened(database_url, signer=OURS) as one,
        opened(database_url, owner="replica-2", signer=THEIRS) as two,
    ):
        await fill(one, 2)
        with pytest.raises(StrangeKeyError, match="rotate-key"):
            await fill(two, 2)
        await fill(one, 1)
        report = check(one)

    assert (report.count, report.found) == (4, None)


@pytest.mark.parametrize(
    ("statement", "place", "what"),
    [
        ("UPDATE trail SET kind = 'denied' WHERE seq = 3", 3, "altered"),
        ("UPDATE trail SET at = at + 0.000001 WHERE seq = 3", 3, "altered"),
        ("UPDATE trail SET body = replace(body, 'U0', 'U1') WHERE seq = 3", 3, "altered"),
        ("DELETE FROM trail WHERE seq = 3", 3, "missing"),
        ("DELETE FROM trail WHERE seq > 3", 4, "cut off"),
        ("DELETE FROM trail", 1, "cut off"),
        ("DELETE FROM seals", 7, "cut off"),
        ("UPDATE seals SET seq = 5", 5, "forged"),
        ("UPDATE seals SET at = at + 1", 6, "forged"),
    ],
)
async def test_audit_log_detects_tampering(
    database_url: str, statement: str, place: int, what: str
) -> None:
    """A change to records or signatures in the database is found at its place."""
    async with opened(database_url, signer=OURS) as store:
        await fill(store, 5)
    tamper(database_url, statement)
    async with opened(database_url) as store:
        found = check(store).found

    assert found is not None
    assert (found.seq, found.what) == (place, what)


async def test_audit_log_detects_undecodable_record(tmp_path: Path) -> None:
    """A record that is no longer valid text is reported as altered."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    async with opened(url, signer=OURS) as store:
        await fill(store, 3)
    tamper(url, "UPDATE trail SET body = CAST(x'7bff' AS TEXT) WHERE seq = 2")
    async with opened(url) as store:
        found = check(store).found

    assert found is not None
    assert (found.seq, found.what) == (2, "altered")


async def test_audit_log_truncation_is_found_after_growth(database_url: str) -> None:
    """A truncation is still found after more records were written."""
    async with opened(database_url, signer=OURS) as store:
        await fill(store, 5)
        tamper(database_url, "DELETE FROM trail WHERE seq > 3")
        await fill(store, 2)
        found = check(store).found

    assert found is not None
    assert (found.seq, found.what) == (4, "missing")


async def test_audit_log_reports_tampering_at_next_write(
    database_url: str,
) -> None:
    """A changed or lost last record, or a lost signature, is reported at the next write."""
    for statement, why in (
        ("DELETE FROM trail WHERE seq = (SELECT max(seq) FROM trail)", "not the one"),
        ("UPDATE trail SET hash = '{0}' WHERE seq = (SELECT max(seq) FROM trail)", "not the one"),
        ("UPDATE seals SET at = at + 1 WHERE kind = 'head'", "does not hold"),
        ("DELETE FROM seals WHERE kind = 'head'", "is gone"),
    ):
        async with opened(database_url, signer=OURS) as store:
            await fill(store, 3)
            tamper(database_url, statement.format("0" * 64))
            await fill(store, 2)
            with store.audit_log.records(last=3) as records:
                found = [record.facts["why"] for record in records if record.kind == "tampered"]
            told = [one.text for one in await store.outbox.claim()]
        assert [why in one for one in found] == [True]
        assert why in told[0]
        tamper(database_url, "DELETE FROM trail", "DELETE FROM seals", "DELETE FROM outbox")


async def test_audit_log_rewrite_is_reported_by_both_replicas(
    database_url: str,
) -> None:
    """A rewritten chain is reported by each replica at its next write."""
    async with (
        opened(database_url, signer=OURS) as one,
        opened(database_url, owner="replica-2", signer=OURS) as two,
    ):
        await fill(one, 2)
        tamper(database_url, "UPDATE trail SET hash = 'changed' WHERE seq = 3")
        tamper(database_url, "UPDATE seals SET hash = 'changed'")
        await fill(two, 1)
        await fill(one, 1)
        with one.audit_log.records() as records:
            found = [record.facts["why"] for record in records if record.kind == "tampered"]

    assert len(found) == 2
    assert "signature" in found[0]
    assert "this process" in found[1]


# --- checkpoints -----------------------------------------------------------------------


async def test_checkpoint_is_enqueued_with_signature(
    database_url: str,
) -> None:
    """A checkpoint of new records is enqueued for the audit channel with its signature."""
    async with opened(database_url, signer=OURS) as store:
        assert not await store.audit_log.checkpoint()
        await fill(store, 2)
        assert await store.audit_log.checkpoint()
        assert not await store.audit_log.checkpoint()
        (owing,) = await store.outbox.claim()
        seal = parse_checkpoint(owing.key)
        assert seal is not None
        assert (seal.kind, seal.seq, seal.key) == (CheckpointKind.CHECKPOINT, 3, OURS.public)
        with store.audit_log.snapshot() as audited:
            result = audited.compare([seal])
        assert (result.compared, result.found) == (1, None)


async def test_checkpoint_is_due_by_time_or_count(quick_store: Store, tmp_path: Path) -> None:
    """A checkpoint is due after its interval or after enough records, and needs a key."""
    assert not await quick_store.audit_log.checkpoint(), "without a key there is none"
    async with opened(f"sqlite:///{tmp_path / 'b.db'}", signer=OURS) as store:
        await fill(store, 2)
        assert await store.audit_log.checkpoint(every=3600.0, most=5)
        await fill(store, 2)
        assert not await store.audit_log.checkpoint(every=3600.0, most=5)
        await fill(store, 3)
        assert await store.audit_log.checkpoint(every=3600.0, most=5)
        await fill(store, 1)
        assert await store.audit_log.checkpoint(every=0.0, most=5)


async def test_verify_walks_the_life_of_each_operation(database_url: str) -> None:
    """A request that left without having been let pass is found, though every record is sealed."""
    async with opened(database_url, signer=OURS) as store:
        for kind in ("asked", "allowed", "sending", "ended"):
            await store.audit_log.record(Fact(kind, "op1", {}))
        with store.audit_log.snapshot() as audited:
            assert audited.first_gap() is None
        await store.audit_log.record(Fact("asked", "op2", {}))
        await store.audit_log.record(Fact("sending", "op2", {}))
        last = check(store)
        assert last.found is None
        with store.audit_log.snapshot() as audited:
            found = audited.first_gap()
        assert found is not None
        assert (found.seq, found.what) == (last.last, "out of order")


# --- retention ---------------------------------------------------------------------------


async def test_retention_pruned_log_still_verifies(database_url: str) -> None:
    """A pruned audit log still verifies and can be written and pruned again."""
    clock = ManualClock()
    async with opened(database_url, signer=OURS, clock=clock) as store:
        await fill(store, 6)
        assert await store.audit_log.checkpoint()
        (owing,) = await store.outbox.claim()
        clock.advance(60.0)
        await fill(store, 4)
        pruning = await store.audit_log.prune(30.0, force=True)
        assert (pruning.removed, pruning.left) == (8, 0)
        report = check(store)
        assert (report.first, report.count, report.found) == (9, 5, None)
        assert (await store.audit_log.prune(3600.0)).removed == 0
        # Its checkpoint is older than what is kept.
        seal = parse_checkpoint(owing.key)
        assert seal is not None
        with store.audit_log.snapshot() as audited:
            assert audited.compare([seal]).found is None
        await fill(store, 2)
        clock.advance(60.0)
        assert (await store.audit_log.prune(30.0, force=True)).removed == 6
        report = check(store)
        assert (report.first, report.count, report.found) == (15, 2, None)
        with store.audit_log.records() as records:
            assert [record.kind for record in records] == ["ended", "pruned"]


async def test_checkpoint_after_removal_is_not_called_the_first(database_url: str) -> None:
    """The one before it was removed for its age; the audit channel still shows it."""
    clock = ManualClock()
    async with opened(database_url, signer=OURS, clock=clock) as store:

        async def text() -> str:
            with unittest.mock.patch.object(store.outbox, "enqueue_audit") as enqueued:
                assert await store.audit_log.checkpoint()
            return str(enqueued.call_args.args[2])

        await fill(store, 3)
        assert "it is the first one." in await text()
        clock.advance(60.0)
        await fill(store, 1)
        await store.audit_log.prune(30.0, force=True)

        assert "; those before it are of records removed since." in await text()


async def test_retention_removes_a_tenth_at_once(database_url: str) -> None:
    """At most a tenth of the audit log goes at once, so that a wrong clock costs little."""
    clock = ManualClock()
    async with opened(database_url, signer=OURS, clock=clock) as store:
        await fill(store, 50)
        count = check(store).count
        clock.advance(3600.0)
        pruning = await store.audit_log.prune(60.0)
        assert pruning.removed == count // 10
        assert pruning.removed + pruning.left == count - 1
        report = check(store)
        assert (report.first, report.found) == (count // 10 + 1, None)


@pytest.mark.parametrize("ahead", [86_401.0, 500 * 86_400.0])
async def test_retention_refuses_a_suspect_clock(database_url: str, ahead: float) -> None:
    """Nothing is removed while the clock is a day or more past the newest record."""
    clock = ManualClock()
    async with opened(database_url, signer=OURS, clock=clock) as store:
        await fill(store, 20)
        clock.advance(ahead)
        pruning = await store.audit_log.prune(3600.0)
        assert (pruning.removed, pruning.clock_is_suspect) == (0, True)
        assert check(store).first == 1
        assert (await store.audit_log.prune(3600.0, force=True)).removed > 0


@pytest.mark.parametrize("ahead", [301.0, -601.0, 3600.0])
async def test_retention_refuses_a_clock_that_others_contradict(
    database_url: str, ahead: float
) -> None:
    """Nothing is removed while the store's clock is minutes off what a service has said."""
    clock = ManualClock()
    skew = ClockSkew()
    skew.note("Slack", {"Date": formatdate(clock() - ahead, usegmt=True)})
    async with opened(database_url, signer=OURS, clock=clock) as store:
        await fill(store, 20)
        clock.advance(60.0)
        pruning = await store.audit_log.prune(30.0, skew=skew)
        assert (pruning.removed, pruning.clock_is_suspect) == (0, True)
        assert "Slack's" in pruning.why
        assert check(store).first == 1
        assert (await store.audit_log.prune(30.0, skew=skew, force=True)).removed > 0


async def test_retention_runs_in_background(database_url: str) -> None:
    """Checkpoints are enqueued and old records are pruned in the background."""
    async with opened(database_url, signer=OURS) as store:
        await fill(store, 4)
        supervisor = Supervisor(Metrics())
        checkpointer = Checkpointer(store, every=0.05, supervisor=supervisor)
        retention = RetentionJob(store, keep=0.2, skew=ClockSkew(), supervisor=supervisor)
        checkpointer.start()
        retention.start()

        async def pruned_and_signed() -> bool:
            return check(store).first > 1 and await store.outbox.depth() > 0

        await until(pruned_and_signed)
        checkpointer.stop()
        retention.stop()
        assert check(store).found is None


async def test_retention_waits_for_the_copy(store: Store) -> None:
    """Nothing is removed before the audit sink has it, and then it is within a minute."""
    copied, asked, paused = [False], [0], []

    def is_copied() -> bool:
        asked[0] += 1
        return copied[0]

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        await asyncio.sleep(0)

    supervisor = Supervisor(Metrics(), sleep=sleep)
    retention = RetentionJob(
        store, keep=3600.0, skew=ClockSkew(), supervisor=supervisor, is_copied=is_copied
    )
    with unittest.mock.patch.object(store.audit_log, "prune", wraps=store.audit_log.prune) as prune:
        retention.start()
        await until(lambda: asked[0] > 2)
        assert prune.call_count == 0
        assert set(paused) <= {0.0, 60.0}
        copied[0] = True
        await until(lambda: prune.call_count)
        retention.stop()


async def test_retention_needs_signing_key(quick_store: Store) -> None:
    """An audit log without a signing key is not pruned."""
    await fill(quick_store, 3)

    assert (await quick_store.audit_log.prune(0.0, force=True)).removed == 0


# --- export ----------------------------------------------------------------------------------


async def test_export_line_contains_hashed_bytes(quick_store: Store) -> None:
    """An exported JSON line contains the exact bytes that were hashed."""
    await fill(quick_store, 3)
    lines: list[str] = []
    with quick_store.audit_log.records() as records:
        write_jsonl(records, lines.append)

    with quick_store.audit_log.records() as records:
        for line, record in zip(lines, records, strict=True):
            found = json.loads(line)
            assert found.pop("hash") == record.hash
            assert found == json.loads(record.body)
            assert line.replace(f',"hash":"{record.hash}"', "") == record.body + "\n"


async def test_export_uses_constant_memory(quick_store: Store) -> None:
    """The memory that an export needs does not grow with the number of records."""

    def peak() -> int:
        tracemalloc.start()
        with quick_store.audit_log.records() as records:
            write_csv(records, len)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def record(tx: Transaction, counts: Sequence[int]) -> list[None]:
        tx.facts += [Fact("ended", "op", {"n": n}) for n in range(sum(counts))]
        return [None for _ in counts]

    await quick_store.session.writer.do(record, 2_500)
    peak()
    small = peak()
    await quick_store.session.writer.do(record, 5_000)

    assert peak() < 1.5 * small


@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False) | st.none(), max_size=6))
def test_csv_rows_contain_no_formula(values: Sequence[Any]) -> None:
    """No CSV cell begins with a character that a spreadsheet takes for a formula."""
    for row in csv.reader(io.StringIO(sheet.line(values))):
        for value, shown in zip(values, row, strict=False):
            if isinstance(value, str):
                assert shown.lstrip()[:1] not in ("=", "+", "-", "@")
                assert shown[:1] not in ("\t", "\r", "\n")


# --- keys ----------------------------------------------------------------------------------


def test_signing_key_is_created_once_for_its_owner(tmp_path: Path) -> None:
    """A signing key is created once, and only its owner can read the file."""
    file = tmp_path / "a.key"
    assert keys.load_public_key(None, file) == ""
    assert not file.exists()

    made = keys.load_signer(None, file)

    assert keys.load_signer(None, file).public == made.public == keys.load_public_key(None, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_signing_key_unusable_is_config_error(tmp_path: Path) -> None:
    """An invalid or unwritable key file raises a configuration error."""
    file = tmp_path / "a.key"
    file.write_text("nonsense")
    with pytest.raises(ConfigError, match="holds no key"):
        keys.load_signer(None, file)
    with pytest.raises(ConfigError, match="cannot be made"):
        keys.load_signer(None, tmp_path / "absent" / "a.key")
