"""The key of the trail: changed, lost, abandoned, and what a stranger's key may do."""

import pytest

from bot.audit.checkpoints import Signer, fingerprint
from bot.audit.hash_chain import FORMAT, KEY, Fact
from bot.audit.signing_key import load_signer
from bot.cli.settings import Settings
from bot.cli.wiring import last_seal_file, open_store
from bot.errors import ConfigError, StrangeKeyError
from bot.model.actions import Json
from bot.storage.store import Store
from tests.conftest import opened
from tests.support import trail_attacker as attacker
from tests.support.audit_terminal import fill, filled, run
from tests.support.hash_chain import (
    CHECKPOINT,
    HEAD,
    OURS,
    THEIRS,
    facts,
    linked,
    seal,
    verified,
)


async def test_rotated_key_verifies_from_either_side(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a rotation the trail verifies with the new key, and with the old one alone."""
    await filled(settings)
    old = load_signer(None, settings.key_file).public
    assert await run(settings, "rotate-key") == 0
    new = load_signer(None, settings.key_file).public
    await filled(settings)

    assert old != new
    assert await run(settings, "verify") == 0
    store = open_store(settings, may_create=True)
    with store.audit_log.snapshot() as audited:
        for trusted in ([old], [new], [old, new]):
            assert audited.verify(trusted, lambda _seq: None).found is None
        (change,) = [one for one in _facts(store, KEY) if "previous" in one]
    await store.close()
    assert change["previous"] == old
    assert change["key"] == new
    assert fingerprint(new) in capsys.readouterr().out
    assert {file.name for file in settings.key_file.parent.glob("*.key*")} == {
        "stopstream.key",
        last_seal_file(settings).path.name,
    }


async def test_rotation_ends_the_power_of_the_old_key(settings: Settings) -> None:
    """After a rotation, an end that is signed with the old key alone is forged."""
    await filled(settings)
    old = load_signer(None, settings.key_file)
    assert await run(settings, "rotate-key") == 0
    await filled(settings)
    store = open_store(settings, may_create=True)
    with store.session.engine.begin() as connection:
        attacker.append(connection)
        attacker.sign_end(connection, old)
    with store.audit_log.snapshot() as audited:
        found = audited.verify([old.public], lambda _seq: None).found
    await store.close()

    assert found is not None
    assert found.what == "forged"
    assert await run(settings, "verify") == 1


async def test_rotation_breaks_off_and_goes_on(settings: Settings) -> None:
    """A rotation that broke off after the trail had the new key is completed by another."""
    await filled(settings)
    before = settings.key_file.read_bytes()
    assert await run(settings, "rotate-key") == 0
    new = settings.key_file.read_bytes()
    settings.key_file.with_name("stopstream.key.new").write_bytes(new)
    settings.key_file.write_bytes(before)
    with pytest.raises(ConfigError, match="all replicas need the same key"):
        open_store(settings, may_create=True)

    assert await run(settings, "rotate-key") == 0

    assert settings.key_file.read_bytes() == new
    await filled(settings)
    assert await run(settings, "verify") == 0


async def test_replica_with_the_old_key_writes_nothing_more(settings: Settings) -> None:
    """A replica that runs on after a rotation refuses to write, and reports no tampering."""
    store = open_store(settings, may_create=True)
    await fill(store)
    assert await run(settings, "rotate-key") == 0
    with pytest.raises(StrangeKeyError, match="all replicas need the same key"):
        await fill(store)
    await store.close()

    assert await run(settings, "verify") == 0


async def test_lost_key_stops_the_start_until_it_is_abandoned(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its key an existing trail is not written and no key made, until a person says so."""
    await filled(settings)
    lost = load_signer(None, settings.key_file).public
    settings.key_file.unlink()
    with pytest.raises(ConfigError, match="put it back; if it is lost"):
        open_store(settings, may_create=True)
    assert not settings.key_file.exists()
    with pytest.raises(ConfigError, match="--abandon-key"):
        await run(settings, "rotate-key")
    with pytest.raises(ConfigError, match="--reason"):
        await run(settings, "rotate-key", "--abandon-key")

    assert await run(settings, "rotate-key", "--abandon-key", "--reason", "disk died") == 0

    await filled(settings)
    capsys.readouterr()
    assert await run(settings, "verify") == 0
    assert f"replaces the key {fingerprint(lost)}" in capsys.readouterr().out
    store = open_store(settings, may_create=True)
    with store.audit_log.snapshot() as audited:
        # Who knows the old key alone is not told to trust the new one.
        found = audited.verify([lost], lambda _seq: None).found
        (change,) = [one for one in _facts(store, KEY) if "abandoned" in one]
    await store.close()
    assert found is not None
    assert found.what == "forged"
    assert change["abandoned"] == lost
    assert change["reason"] == "disk died"


async def test_strange_key_stops_the_start(settings: Settings) -> None:
    """A key that is not the trail's stops the start with what to do, and changes nothing."""
    await filled(settings)
    mine = load_signer(None, settings.key_file)
    before = settings.key_file.parent / "stopstream.db"
    kept = before.read_bytes()
    other = settings.model_copy(update={"audit_key_file": before.with_name("other.key")})
    load_signer(None, other.key_file)

    with pytest.raises(ConfigError) as raised:
        open_store(other, may_create=True)

    assert fingerprint(mine.public) in str(raised.value)
    assert "rotate-key" in str(raised.value)
    assert before.read_bytes() == kept


async def test_abandoning_needs_another_key(settings: Settings) -> None:
    """The key that the trail is sealed with cannot be abandoned for itself."""
    await filled(settings)
    with pytest.raises(ConfigError, match="no other key"):
        await run(settings, "rotate-key", "--abandon-key", "--reason", "why not")


async def test_tampering_is_open_until_it_is_acknowledged(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `tampered` record fails verify until somebody acknowledges it, and is named ever after."""
    await filled(settings)
    store = open_store(settings, may_create=True)
    await fill(store)
    with store.session.engine.begin() as connection:
        attacker.append(connection)
        attacker.own_end(connection)
    await fill(store)
    (tampered,) = _numbers(store, "tampered", "replica")
    await store.close()
    assert await run(settings, "verify") == 1
    assert "nobody has acknowledged it" in capsys.readouterr().out
    assert await run(settings, "acknowledge", "3", "--reason", "wrong number") == 1
    assert await run(settings, "acknowledge", str(tampered), "--reason", "the drill") == 0

    assert await run(settings, "verify") == 0

    assert f"record {tampered} says that nobody vouches for" in capsys.readouterr().out
    assert await run(settings, "acknowledge", str(tampered), "--reason", "again") == 1
    # What was forged then earns no trust by that.
    store = open_store(settings, may_create=True)
    with store.session.engine.begin() as connection:
        attacker.append(connection)
        attacker.own_end(connection)
    await store.close()
    assert await run(settings, "verify") == 1


async def test_retention_keeps_open_tampering(database_url: str) -> None:
    """What nobody has acknowledged is not removed for its age."""
    async with opened(database_url, signer=OURS) as store:
        await fill(store)
        with store.session.engine.begin() as connection:
            attacker.append(connection)
        await fill(store)
        (tampered,) = _numbers(store, "tampered", "replica")
        await store.audit_log.prune(0.0, force=True)
        assert _numbers(store, "tampered", "replica") == [tampered]
        await store.audit_log.acknowledge([tampered], {"reason": "the drill"})
        await store.audit_log.prune(0.0, force=True)
        assert _numbers(store, "tampered", "replica") == []


async def test_checkpoint_removed_from_the_database_is_missing(settings: Settings) -> None:
    """Each checkpoint is a record of the log, so that its seal cannot be removed unseen."""
    store = open_store(settings, may_create=True)
    await fill(store)
    assert await store.audit_log.checkpoint()
    assert not await store.audit_log.checkpoint(), "its own record needs no other"
    await fill(store)
    assert await store.audit_log.checkpoint()
    first, second = _facts(store, "checkpoint")
    with store.session.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM seals WHERE kind = 'checkpoint'")
    with store.audit_log.snapshot() as audited:
        found = audited.verify([], lambda _seq: None).found
    await store.close()

    assert second["previous"] == first["seq"]
    assert found is not None
    assert (found.seq, found.what) == (first["seq"], "missing")


def test_key_that_only_a_forged_record_names_is_not_trusted() -> None:
    """From the first record of the newer format on, being named and sealed over earns no trust."""
    named = [Fact(KEY, "", {"key": OURS.public, "format": FORMAT}), *facts(6)[1:]]
    named[3] = Fact(KEY, "", {"key": THEIRS.public, "format": FORMAT})
    rows = linked(named)
    sealed = [seal(rows, 6), seal(rows, 5, CHECKPOINT, THEIRS)]

    report = verified(rows, sealed, OURS.public)

    assert report.found is not None
    assert (report.found.seq, report.found.what) == (5, "stray seal")
    assert THEIRS.public not in report.keys


@pytest.mark.parametrize("place", ["seq", "previous", "successor"])
def test_signature_of_a_key_change_belongs_to_its_place(place: str) -> None:
    """What a key has signed of its successor counts at its record, and for that key, alone."""
    begin = linked([Fact(KEY, "", {"key": OURS.public, "format": FORMAT}), *facts(3)[1:]])
    last = begin[-1][5].decode()
    signature = OURS.sign_successor(
        Signer(b"x" * 32).public if place == "successor" else THEIRS.public,
        9 if place == "seq" else 4,
        "0" * 64 if place == "previous" else last,
    )
    said: dict[str, Json] = {
        "key": THEIRS.public,
        "previous": OURS.public,
        "signature": signature,
        "format": FORMAT,
    }
    rows = [*begin, *linked([Fact(KEY, "", said)], 4, last)]

    report = verified(rows, [seal(rows, 4, HEAD, THEIRS)], OURS.public)

    assert report.found is not None
    assert report.found.what == "forged"


def _facts(store: Store, kind: str) -> list[dict[str, object]]:
    with store.audit_log.records() as records:
        return [record.facts for record in records if record.kind == kind]


def _numbers(store: Store, kind: str, with_fact: str) -> list[int]:
    with store.audit_log.records() as records:
        return [one.seq for one in records if one.kind == kind and with_fact in one.facts]
