"""Keys that were replaced or abandoned: they vouch for nothing more, and seal over nothing."""

import pytest

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import FORMAT, KEY, Fact
from bot.cli.settings import Settings
from bot.cli.wiring import last_seal_file, open_store
from bot.errors import ConfigError, StrangeKeyError
from bot.model.actions import Json
from bot.storage import audit_end, audit_records
from bot.storage.key_changes import KeyChanges
from bot.storage.store import Store
from tests.conftest import opened
from tests.support import trail_attacker as attacker
from tests.support.audit_terminal import fill, filled, run
from tests.support.hash_chain import (
    AT,
    CHECKPOINT,
    HEAD,
    OURS,
    THEIRS,
    facts,
    linked,
    seal,
    verified,
)


async def test_key_that_was_replaced_does_not_return(settings: Settings) -> None:
    """A key that the trail has had is refused: abandoning, rotating to it, and at the start."""
    await filled(settings)
    first = settings.key_file.read_text()
    assert await run(settings, "rotate-key") == 0
    old = settings.key_file.with_name("old.key")
    old.write_text(first)
    with pytest.raises(StrangeKeyError, match="make a new key"):
        await run(settings, "rotate-key", "--to", str(old))
    second = settings.key_file.read_text()
    settings.key_file.write_text(first)
    with pytest.raises(ConfigError, match="make a new key"):
        open_store(settings, may_create=True)
    with pytest.raises(StrangeKeyError, match="make a new key"):
        await run(settings, "rotate-key", "--abandon-key", "--reason", "back")
    settings.key_file.write_text(second)

    await filled(settings)
    assert await run(settings, "verify") == 0


@pytest.mark.parametrize("has_file", [True, False])
async def test_abandoning_a_strangers_key_does_not_launder_its_records(
    settings: Settings, *, has_file: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What only an abandoned key vouches for is `tampered`, and its key names no other."""
    store = open_store(settings, may_create=True)
    await fill(store)
    await store.audit_log.checkpoint()
    with store.session.engine.begin() as connection:
        last = audit_end.end(connection)
        said: dict[str, Json] = {"key": THEIRS.public, "previous": attacker.ATTACKER.public}
        said["signature"] = attacker.ATTACKER.sign_successor(THEIRS.public, last.seq + 1, last.hash)
        audit_records.append(connection, AT, [Fact(KEY, "", said)], THEIRS, last)
        attacker.append(connection)
        attacker.own_end(connection)
        head = audit_end.end(connection).head
        assert head is not None
        audit_records.keep_head(connection, head)
    await store.close()
    if not has_file:
        last_seal_file(settings).forget()
    assert await run(settings, "rotate-key", "--abandon-key", "--reason", "whose is it?") == 0
    assert await run(settings, "verify") == 1
    assert "nobody has acknowledged it" in capsys.readouterr().out
    await filled(settings)
    store = open_store(settings, may_create=True)
    (tampered,) = _numbers(store, "tampered", "replica")
    (said_of_it,) = [one for one in _facts(store, "tampered") if "replica" in one]
    await store.close()
    assert said_of_it["vouched"] == (last.seq if has_file else last.seq - 1)
    assert await run(settings, "verify") == 1
    assert await run(settings, "acknowledge", str(tampered), "--reason", "seen") == 0

    assert await run(settings, "verify") == 0

    # Whom the stranger's key has named may not seal anything either.
    store = open_store(settings, may_create=True)
    with store.session.engine.begin() as connection:
        attacker.append(connection)
        attacker.sign_end(connection, THEIRS)
    await store.close()
    assert await run(settings, "verify") == 1


async def test_abandoning_without_any_witness_is_acknowledged(settings: Settings) -> None:
    """Where neither a file nor the new key knows the end, a person says that it is right."""
    store = open_store(settings, may_create=True)
    await fill(store)
    await store.audit_log.checkpoint()
    await store.close()
    settings.key_file.unlink()
    last_seal_file(settings).forget()
    assert await run(settings, "rotate-key", "--abandon-key", "--reason", "disk died") == 0
    assert await run(settings, "verify") == 1
    store = open_store(settings, may_create=True)
    (tampered,) = _numbers(store, "tampered", "replica")
    await store.close()
    assert await run(settings, "acknowledge", str(tampered), "--reason", "ours") == 0
    assert await run(settings, "verify") == 0


@pytest.mark.parametrize("how", ["abandoned", "twice", "head gone"])
async def test_replica_whose_key_was_replaced_never_seals_over(
    settings: Settings, how: str
) -> None:
    """A process that goes on with a former key records nothing, however its key was replaced."""
    store = open_store(settings, may_create=True)
    await fill(store)
    if how == "abandoned":
        settings.key_file.unlink()
        assert await run(settings, "rotate-key", "--abandon-key", "--reason", "lost") == 0
    else:
        assert await run(settings, "rotate-key") == 0
    if how == "twice":
        assert await run(settings, "rotate-key") == 0
    await filled(settings)
    if how == "head gone":
        with store.session.engine.begin() as connection:
            attacker.no_end(connection)
    with pytest.raises(StrangeKeyError, match="all replicas need the same key"):
        await fill(store)
    count = len(_numbers(store, "tampered", "replica"))
    await store.close()

    assert count == 0
    assert await run(settings, "verify") == (1 if how == "head gone" else 0)


@pytest.mark.parametrize("swapped", [True, False])
async def test_pruned_trail_names_the_key_that_seals(database_url: str, *, swapped: bool) -> None:
    """Once only `pruned` names keys, the one that seals now is taken where none is known."""
    old, new = (THEIRS, OURS) if swapped else (OURS, THEIRS)
    async with opened(database_url, signer=old) as store:
        await fill(store)
        await store.audit_log.prune(0.0)
    async with opened(database_url) as store:
        await KeyChanges(store.session).change(new, former=old, facts={})
    async with opened(database_url, signer=new) as store:
        await fill(store)
        await store.audit_log.prune(0.0, force=True)
        with store.audit_log.snapshot() as audited:
            report = audited.verify([], lambda _seq: None)
        (said,) = _facts(store, "pruned")
        assert _facts(store, KEY) == []

    assert said["keys"] == [new.public, old.public]
    assert report.found is None


@pytest.mark.parametrize("end", [OURS, THEIRS])
def test_abandoned_key_names_no_other_and_its_seals_are_void(end: Signer) -> None:
    """A stranger's key, abandoned, makes no key trusted, and its seals leave an honest trail so."""
    stranger = attacker.ATTACKER
    begin = linked([Fact(KEY, "", {"key": OURS.public, "format": FORMAT}), *facts(3)[1:]])
    last = begin[-1][5].decode()
    signature = stranger.sign_successor(THEIRS.public, 4, last)
    named: dict[str, Json] = {"key": THEIRS.public, "previous": stranger.public}
    more = [
        Fact(KEY, "", {**named, "signature": signature, "format": FORMAT}),
        Fact("tampered", "", {"why": "strange", "vouched": 3, "upto": 4}),
        Fact(KEY, "", {"abandoned": stranger.public, "key": OURS.public, "format": FORMAT}),
        Fact("acknowledged", "", {"records": [5]}),
    ]
    rows = [*begin, *linked(more, 4, last)]
    sealed = [
        seal(rows, 4, CHECKPOINT, Signer(b"x" * 32)),
        seal(rows, 6, CHECKPOINT),
        seal(rows, 7, HEAD, end),
    ]

    found = verified(rows, sealed, OURS.public).found

    assert (found and (found.seq, found.what)) == (None if end is OURS else (7, "forged"))


def _facts(store: Store, kind: str) -> list[dict[str, object]]:
    with store.audit_log.records() as records:
        return [record.facts for record in records if record.kind == kind]


def _numbers(store: Store, kind: str, with_fact: str) -> list[int]:
    with store.audit_log.records() as records:
        return [one.seq for one in records if one.kind == kind and with_fact in one.facts]
