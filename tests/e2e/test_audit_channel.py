"""What stands in the audit channel holds the trail, and the trail holds the channel."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TypeAlias

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import parse_checkpoint
from bot.cli.demo import AUDIT
from bot.sandbox.slack.entities import Channel, Message
from bot.storage import database
from tests.e2e.test_audit_cli import Terminal, terminal
from tests.support.waiting import until

__all__ = ["terminal"]

Attack: TypeAlias = Callable[[Channel, Message], None]

_OWED = sa.text(
    "INSERT INTO outbox (key, operation, owed, text, about, place, destination, wanted, attempts, "
    "uncertain, next_at, owner, lease_until) "
    "VALUES (:key, '', 'audit', '', '', '', :channel, 0, 0, 0, 9e9, '', 9e9)"
)


def line(channel: Channel) -> Message:
    """Return the newest audit line."""
    return [m for m in channel.roots if "operation" in m.text][-1]


def checkpoint(channel: Channel) -> Message:
    """Return the newest checkpoint."""
    return [m for m in channel.roots if m.text.startswith("Checkpoint")][-1]


def delete(channel: Channel, message: Message) -> None:
    channel.messages.remove(message)


def edit(_channel: Channel, message: Message) -> None:
    message.text = message.text.replace("U0ALICE", "U0MALLORY").replace("Checkpoint", "Check")
    message.edited = "1700000000.000001"


def edit_behind_blocks(_channel: Channel, message: Message) -> None:
    """Slack marks no message as edited that has blocks."""
    message.blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "all is well"}}]


def strip(_channel: Channel, message: Message) -> None:
    message.metadata = {}


def exchange(channel: Channel, message: Message) -> None:
    """Give a message what another one's metadata vouches for."""
    other = next(m for m in channel.roots if m is not message and "seal" in _payload(m))
    message.metadata = other.metadata


def _payload(message: Message) -> dict[str, object]:
    found: dict[str, object] = message.metadata.get("event_payload", {})
    return found


@pytest.fixture
async def told(terminal: Terminal) -> Terminal:
    """A bot that has stopped two streams, told of both, and posted a checkpoint."""
    channel = terminal.world.slack.channels[AUDIT]
    for number, stream in enumerate(("stream1", "stream2"), start=1):
        await terminal.stop(stream)
        await until(lambda: len([m for m in channel.roots if "operation" in m.text]) == number)  # noqa: B023
    await terminal.checkpoint()
    store = terminal.world.bot.store
    assert store is not None
    await until(lambda: _drained(terminal))
    return terminal


async def _drained(terminal: Terminal) -> bool:
    store = terminal.world.bot.store
    assert store is not None
    return await store.outbox.depth() == 0


ATTACKS = (delete, edit, edit_behind_blocks, strip, exchange)


async def test_channel_and_trail_hold_each_other(told: Terminal) -> None:
    """Each line vouches for the trail; nothing is removed from the channel or changed unseen."""
    channel = told.world.slack.channels[AUDIT]
    assert len([seal for seal in map(_vouched, channel.roots) if seal]) >= 2
    code, out = await told.run("verify", "--against-channel")
    assert code == 0, out
    assert "the audit channel agrees" in out

    for which in (line, checkpoint):
        for attack in ATTACKS:
            before = deepcopy(channel.messages)
            attack(channel, which(channel))
            code, out = await told.run("verify", "--against-channel")
            assert code == 1, (which, attack, out)
            assert "the channel" in out
            channel.messages[:] = before
    assert (await told.run("verify", "--against-channel"))[0] == 0

    await _channel_that_forgets(told)


def _vouched(message: Message) -> int:
    """Return the number of the record that an audit line vouches for; 0 for a checkpoint."""
    payload = _payload(message)
    if parse_checkpoint(str(payload["key"])):
        return 0
    seal = parse_checkpoint(str(payload["seal"]))
    assert seal is not None
    assert (seal.seq, seal.hash) == (payload["seq"], payload["hash"])
    return seal.seq


async def _channel_that_forgets(told: Terminal) -> None:
    """What is older than the channel keeps messages need not be there."""
    told.world.slack.channels[AUDIT].messages.clear()
    assert (await told.run("verify", "--against-channel"))[0] == 1

    async def agrees() -> bool:
        # Its second passes while it is asked.
        keeps = ("--channel-keeps", "1s")
        return (await told.run("verify", "--against-channel", *keeps))[0] == 0

    assert await until(agrees)


async def test_rewrite_since_the_checkpoint_is_found(told: Terminal, tmp_path: Path) -> None:
    """What happened after the last checkpoint is vouched for by the line that tells of it."""
    from tests.e2e.test_audit_cli import rewrite  # noqa: PLC0415 (here alone)

    channel = told.world.slack.channels[AUDIT]
    for message in [m for m in channel.roots if m.text.startswith("Checkpoint")]:
        channel.messages.remove(message)
    rewrite(tmp_path / "stopstream.db", tmp_path / "stopstream.key")

    code, out = await told.run("verify", "--against-channel")

    assert code == 1
    assert "rewritten: what a message in the audit channel says of record" in out


async def test_a_checkpoint_that_is_said_to_wait_is_found(told: Terminal) -> None:
    """A removed checkpoint is not excused by a row that says it is still to be posted."""
    channel = told.world.slack.channels[AUDIT]
    removed = checkpoint(channel)
    seal = parse_checkpoint(str(_payload(removed)["key"]))
    assert seal is not None
    old = str(_payload(removed)["key"]).replace(repr(seal.at), repr(seal.at - 1e6))
    delete(channel, removed)
    # As if Slack had been away for a long time.
    engine = database.connect(told.settings.database_url)
    with engine.begin() as connection:
        connection.execute(_OWED, {"key": old, "channel": AUDIT})
    engine.dispose()

    code, out = await told.run("verify", "--against-channel")

    assert code == 1, out
