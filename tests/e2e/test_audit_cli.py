"""`stopstream audit` while a bot serves: verify against the channel, show, tail, export."""

import argparse
import asyncio
import csv
import io
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, Signer, parse_checkpoint
from bot.audit.hash_chain import GENESIS, Fact, canonical, digest
from bot.cli import audit
from bot.cli.demo import AUDIT, INCIDENTS, Sandbox
from bot.cli.main import build_parser
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import last_seal_file
from bot.errors import ConfigError
from bot.storage import database, tables
from tests.support.databases import lay_schema
from tests.support.paths import ROOT
from tests.support.waiting import until
from tests.support.worlds import sandbox


async def run_audit(settings: Settings, options: argparse.Namespace) -> int:
    """Run `stopstream audit` in an event loop of its own, while the bot serves in this one."""
    return await asyncio.to_thread(lambda: asyncio.run(audit.run(settings, options)))


class Terminal:
    """Runs `stopstream audit …` and gives its exit code and what it prints."""

    def __init__(self, world: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self._capsys = capsys

    @property
    def settings(self) -> Settings:
        return self.world.bot.settings

    async def run(self, *arguments: str) -> tuple[int, str]:
        options = build_parser().parse_args(["audit", *arguments])
        self._capsys.readouterr()
        code = await run_audit(self.settings, options)
        return code, self._capsys.readouterr().out

    async def stop(self, stream: str) -> str:
        """Stop a stream; give the operation's id."""
        channel = self.world.slack.channels[INCIDENTS]
        before = len([m for m in channel.messages if m.thread_ts])
        await self.world.slack.person("U0ALICE").slash("/stopstream", f"live {stream}")
        await self.world.slack.wait_for(
            lambda: len([m for m in channel.messages if m.thread_ts]) > before
        )
        store = self.world.bot.store
        assert store is not None
        return (await store.operations.recent(limit=1))[0].id

    async def checkpoint(self) -> None:
        """Seal, and wait until the channel has it."""
        audit = self.world.slack.channels[AUDIT]
        before = len(audit.roots)
        assert (await self.run("checkpoint"))[0] == 0
        await self.world.slack.wait_for(
            lambda: [m for m in audit.roots[before:] if m.text.startswith("Checkpoint")]
        )
        # That it was delivered is recorded, too, a moment later.
        await until(self._has_told_everything)

    async def _has_told_everything(self) -> bool:
        store = self.world.bot.store
        assert store is not None
        return not await store.session.fetch(sa.select(tables.outbox.c.id))

    def tamper(self, *statements: str) -> None:
        engine = database.connect(self.settings.database_url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        yield Terminal(world, capsys)


async def test_audit_verify_agrees_with_channel(terminal: Terminal) -> None:
    """The audit log of a running bot verifies and agrees with the audit channel."""
    await terminal.stop("stream1")
    await terminal.checkpoint()

    code, out = await terminal.run("verify", "--against-channel")

    assert code == 0, out
    assert re.search("^all [0-9]+ records verified$", out, re.MULTILINE)
    assert "sealed up to record" in out
    assert "the audit channel agrees: 2 messages" in out


async def test_audit_verify_ignores_forged_checkpoint(terminal: Terminal) -> None:
    """A checkpoint that another user posted to the audit channel is not compared."""
    slack = terminal.world.slack
    forged = slack.say(AUDIT, "U0BOB", "Checkpoint of the trail")
    seal = Signer(b"x" * 32).sign(CheckpointKind.CHECKPOINT, 2, "0" * 64, 0.0)
    key = f"seal:checkpoint:2:0.0:{'0' * 64}:{seal.key}:{seal.signature}"
    assert parse_checkpoint(key) is not None
    forged.metadata = {"event_type": "stopstream_operation", "event_payload": {"key": key}}

    code, out = await terminal.run("verify", "--against-channel")

    assert code == 0, out
    assert "has nothing to hold the records to" in out


async def test_audit_verify_detects_rewrite_by_channel(terminal: Terminal, tmp_path: Path) -> None:
    """A chain rewritten with the real key is found by comparison with the channel."""
    await terminal.stop("stream1")
    await terminal.checkpoint()
    rewrite(tmp_path / "stopstream.db", tmp_path / "stopstream.key")
    code, out = await terminal.run("verify")
    assert code == 1, out
    assert "is not what was sealed from here" in out
    # Somebody who has the whole machine removes that, too.
    last_seal_file(terminal.settings).path.unlink()

    code, out = await terminal.run("verify")
    assert code == 0, out
    code, out = await terminal.run("verify", "--against-channel")
    assert code == 1
    assert "the channel says otherwise, at record 1: rewritten" in out


def rewrite(file: Path, key: Path) -> None:
    """Make a whole chain anew that says somebody else did it, and seal it."""
    import base64  # noqa: PLC0415 (here alone)

    signer = Signer(base64.b64decode(key.read_text()))
    engine = database.connect(f"sqlite:///{file}")
    with engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT * FROM trail ORDER BY seq")).all()
        last, hashes = GENESIS, dict[int, str]()
        seals = []
        for row in rows:
            facts = json.loads(row.body.replace("U0ALICE", "U0MALLORY"))["facts"]
            if row.kind == "checkpoint":
                facts["hash"] = hashes[facts["seq"]]
                seal = signer.sign(CheckpointKind.CHECKPOINT, facts["seq"], facts["hash"], row.at)
                seals.append(seal)
            body = canonical(row.seq, row.at, Fact(row.kind, row.operation, facts))
            last = hashes[row.seq] = digest(last, body)
            connection.execute(
                sa.text("UPDATE trail SET body = :body, hash = :hash WHERE seq = :seq"),
                {"body": body, "hash": last, "seq": row.seq},
            )
        seals.append(signer.sign(CheckpointKind.HEAD, rows[-1].seq, last, rows[-1].at))
        connection.execute(sa.text("DELETE FROM seals"))
        connection.execute(
            sa.text("INSERT INTO seals VALUES (:kind, :seq, :hash, :at, :key, :signature)"),
            [asdict(seal) | {"kind": seal.kind.value} for seal in seals],
        )
    engine.dispose()


async def test_audit_verify_names_altered_record(terminal: Terminal) -> None:
    """An altered record is named, with the number of intact records before it."""
    await terminal.stop("stream1")
    terminal.tamper("UPDATE trail SET body = replace(body, 'U0ALICE', 'U0MALLORY') WHERE seq = 4")

    code, out = await terminal.run("verify")

    assert code == 1
    assert "broken at record 4: altered: record 4 was altered" in out
    assert "the 3 before it are intact" in out


async def test_audit_verify_finds_what_nobody_let_pass(terminal: Terminal) -> None:
    """A request that was sent without having been asked for ends in exit code 1."""
    store = terminal.world.bot.store
    assert store is not None
    await store.audit_log.record(Fact("sending", "made-up", {}))

    code, out = await terminal.run("verify")

    assert code == 1
    assert 'says "sending" of operation made-up, and has nothing before it' in out


async def test_audit_show_prints_operation_history(terminal: Terminal) -> None:
    """The history of one operation is printed with its request ID and permalink."""
    id_ = await terminal.stop("stream1")

    code, out = await terminal.run("show", id_)

    assert code == 0
    for word in ("asked", "sending", "ended", "delivered", "U0ALICE", "DropLiveStream"):
        assert word in out
    assert terminal.world.cloud.ran("DropLiveStream")[-1].request_id in out
    assert "https://sandbox.slack.com/archives/" in out
    # The last column may be wide, and more so once the stop has been looked at.
    (header,) = [line for line in out.splitlines() if line.rstrip().endswith("what")]
    assert header.index("what") < 100
    assert (await terminal.run("show", "nosuch"))[0] == 1


async def test_audit_tail_prints_table(terminal: Terminal) -> None:
    """The newest records are printed as a table."""
    await terminal.stop("stream1")

    code, out = await terminal.run("tail", "-n", "3")

    assert code == 0
    head, rule, *rows = out.splitlines()
    assert head.split()[:1] == ["record"]
    assert set(rule) == {"-", " "}
    assert len(rows) == 3


async def test_audit_export_is_recorded_first(terminal: Terminal) -> None:
    """An export contains its own record, and its hashes can be recomputed."""
    await terminal.stop("stream1")

    code, out = await terminal.run("export", "--format", "csv", "--since", "1h")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    # The bot goes on meanwhile: what it does next may be in the export, too.
    assert "exported" in [row["kind"] for row in rows]
    assert [int(row["seq"]) for row in rows] == list(range(1, len(rows) + 1))

    _, out = await terminal.run("export")
    records = [json.loads(line) for line in out.splitlines()]
    last = GENESIS
    for record in records:
        hash_ = record.pop("hash")
        body = json.dumps(record, sort_keys=True, separators=(",", ":"))
        last = digest(last, body)
        assert last == hash_


async def test_audit_export_check_in_docs_works(terminal: Terminal, tmp_path: Path) -> None:
    """The documented script accepts an intact export and rejects an altered one."""
    await terminal.stop("stream1")
    _, out = await terminal.run("export")
    text = (ROOT / "docs" / "trail.md").read_text()
    script = text.partition("python3 -c '\n")[2].partition("\n'\n")[0]
    (tmp_path / "check.py").write_text(script)

    async def check(lines: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(tmp_path / "check.py"), stdin=-1, stdout=-1, stderr=-1
        )
        said, _ = await process.communicate(lines.encode())
        return process.returncode, said.decode()

    code, said = await check(out)
    assert code == 0
    assert json.loads(out.splitlines()[-1])["hash"] in said
    code, _ = await check(out.replace("U0ALICE", "U0MALLORY"))
    assert code != 0


async def test_audit_prune_leaves_tombstone(terminal: Terminal) -> None:
    """Pruned records leave a tombstone, and the audit log still verifies."""
    await terminal.stop("stream1")
    await asyncio.sleep(1.1)
    await terminal.stop("stream2")

    code, out = await terminal.run("prune", "--keep", "1s")
    assert code == 0
    assert "records removed" in out
    code, out = await terminal.run("verify")
    assert code == 0, out
    assert "a tombstone says so" in out
    with pytest.raises(ConfigError, match="STOPSTREAM_AUDIT_KEEP"):
        await terminal.run("prune")
    with pytest.raises(ConfigError, match="neither like"):
        await terminal.run("export", "--since", "never")


async def test_audit_verify_creates_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verifying an empty audit log creates no key file."""
    lay_schema(tmp_path / "a.db")
    settings = read_settings(STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'a.db'}")
    options = build_parser().parse_args(["audit", "verify"])

    assert await run_audit(settings, options) == 0

    assert "no records yet" in capsys.readouterr().out
    assert not settings.key_file.exists()
    assert settings.key_file == tmp_path / "a.key"


async def test_audit_verify_fails_while_slack_is_away(terminal: Terminal) -> None:
    """An outage is no wrong setting: it can be run again, and until then vouches for nothing."""
    terminal.world.slack.faults.down = True
    code, out = await terminal.run("verify", "--against-channel")
    assert (code, out) == (1, "")

    terminal.world.slack.faults.down = False
    terminal.world.slack.faults.refuse("conversations.history", "internal_error")
    assert (await terminal.run("verify", "--against-channel"))[0] == 1

    terminal.world.slack.faults.refuse("conversations.history", "not_in_channel")
    with pytest.raises(ConfigError, match="cannot be read"):
        await terminal.run("verify", "--against-channel")
