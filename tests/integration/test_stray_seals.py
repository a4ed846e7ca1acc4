"""A seal that somebody puts beside an honest trail vouches for nothing, and hides nothing."""

import itertools

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, Signer
from bot.audit.signing_key import load_signer
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.storage import database
from bot.storage.tables import seals, trail
from tests.support.audit_terminal import fill, filled, run

STRANGER = Signer(b"s" * 32)
CHECKPOINT, HEAD, TOMBSTONE = (
    CheckpointKind.CHECKPOINT,
    CheckpointKind.HEAD,
    CheckpointKind.TOMBSTONE,
)
BEYOND = 10**6
WORST = [
    pytest.param(CHECKPOINT, BEYOND, "ab" * 32, id="checkpoint beyond the end"),
    pytest.param(HEAD, BEYOND, "ab" * 32, id="end beyond the end"),
    pytest.param(TOMBSTONE, BEYOND, "ab" * 32, id="tombstone of everything"),
]
SOME = [
    pytest.param(CHECKPOINT, 3, "", id="checkpoint of an honest record"),
    pytest.param(CHECKPOINT, 3, "ab" * 32, id="checkpoint of a record that is none"),
    pytest.param(HEAD, BEYOND, "ab" * 32, id="end beyond the end"),
    pytest.param(TOMBSTONE, BEYOND, "ab" * 32, id="tombstone of everything"),
]


def put(settings: Settings, kind: CheckpointKind, seq: int, hash_: str, **changed: str) -> None:
    """Insert a seal of a stranger, with some columns changed."""
    engine = database.connect(settings.database_url)
    with engine.begin() as connection:
        found = connection.execute(sa.select(trail.c.hash).where(trail.c.seq == seq)).scalar()
        seal = STRANGER.sign(kind, seq, hash_ or found or "", 1.0)
        row = {"kind": changed.get("named", kind.value), "seq": seq, "hash": seal.hash, "at": 1.0}
        row |= {"signature": seal.signature, "key": changed.get("key", seal.key)}
        connection.execute(sa.insert(seals).values(row))
    engine.dispose()


@pytest.mark.parametrize("rotated", [False, True], ids=["one key", "two keys"])
@pytest.mark.parametrize(("kind", "seq", "hash_"), SOME)
async def test_stray_seal_is_named_and_acknowledged(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    kind: CheckpointKind,
    seq: int,
    hash_: str,
    *,
    rotated: bool,
) -> None:
    """One row of a stranger fails verify, which names it and finds every record sound."""
    await filled(settings)
    if rotated:
        assert await run(settings, "rotate-key") == 0
        await filled(settings)
    assert await run(settings, "verify") == 0
    put(settings, kind, seq, hash_)
    capsys.readouterr()

    assert await run(settings, "verify") == 1
    said = capsys.readouterr().out
    assert f"stray seal: somebody has put a {kind.value} of record {seq}" in said
    assert await run(settings, "acknowledge", "--seals", "--reason", "a drill") == 0
    assert await run(settings, "verify") == 0
    assert await run(settings, "acknowledge", "--seals", "--reason", "again") == 1
    await filled(settings)
    assert await run(settings, "verify") == 0


@pytest.mark.parametrize(("kind", "seq", "hash_"), WORST)
async def test_stray_seal_stops_nothing(
    settings: Settings, kind: CheckpointKind, seq: int, hash_: str
) -> None:
    """A bot that is up, or starts again, goes on to record, seal and prune beside it."""
    store = open_store(settings, may_create=True)
    await fill(store)
    assert await store.audit_log.checkpoint()
    put(settings, kind, seq, hash_)
    for opened in (store, None):
        going_on = opened or open_store(settings, may_create=True)
        await fill(going_on)
        assert await going_on.audit_log.checkpoint()
        before = await going_on.session.fetch(sa.select(sa.func.count()).select_from(trail))
        assert (await going_on.audit_log.prune(1e9)).removed == 0
        assert await going_on.session.fetch(sa.select(sa.func.count()).select_from(trail)) == before
        await going_on.close()


async def test_stray_seal_launders_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the records do not hold without it, a stranger's seal is not what is said."""
    await filled(settings)
    engine = database.connect(settings.database_url)
    kinds = itertools.cycle((CHECKPOINT, HEAD, TOMBSTONE))
    for seq, kind in zip((2, 3, 10**6), kinds, strict=False):
        put(settings, kind, seq, "ab" * 32 if seq > 3 else "")
    changes = (
        "UPDATE trail SET body = replace(body, 'U0ALICE', 'U0MALLORY') WHERE seq = 3",
        "DELETE FROM trail WHERE seq = 4",
        "DELETE FROM seals WHERE kind = 'head' AND seq = 4",
    )
    for change in changes:
        with engine.connect() as connection:
            kept = [tuple(row) for row in connection.execute(sa.select(trail))]
        with engine.begin() as connection:
            assert connection.exec_driver_sql(change).rowcount == 1
        capsys.readouterr()
        assert await run(settings, "verify") == 1
        assert "stray seal" not in capsys.readouterr().out
        if "trail" in change:
            with engine.begin() as connection:
                connection.execute(sa.delete(trail))
                connection.execute(sa.insert(trail).values(kept))
    engine.dispose()


async def test_seal_without_a_signature_is_a_stray(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """What bears our key's name and not its signature is nothing of ours."""
    await filled(settings)
    ours = load_signer(None, settings.key_file).public
    put(settings, CHECKPOINT, 3, "", key=ours)
    assert await run(settings, "verify") == 1
    assert "stray seal" in capsys.readouterr().out
    assert await run(settings, "acknowledge", "--seals", "--reason", "a drill") == 0
    put(settings, CHECKPOINT, 2, "", named="nonsense")
    assert await run(settings, "verify") == 0


async def test_altered_seal_of_ours_is_none_of_a_stranger(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint that the trail lists, and that is damaged, cannot be acknowledged away."""
    store = open_store(settings, may_create=True)
    await fill(store)
    assert await store.audit_log.checkpoint()
    await store.close()
    engine = database.connect(settings.database_url)
    with engine.begin() as connection:
        changed = sa.update(seals).where(seals.c.kind == CHECKPOINT.value)
        assert connection.execute(changed.values(key=STRANGER.public)).rowcount == 1
    engine.dispose()
    assert await run(settings, "verify") == 1
    assert "stray seal" not in capsys.readouterr().out
    assert await run(settings, "acknowledge", "--seals", "--reason", "a drill") == 1
