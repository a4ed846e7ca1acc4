"""`stopstream audit rotate-key` and `acknowledge`: what only a person may decide of the trail."""

import argparse
from pathlib import Path

from bot.audit.checkpoints import Signer, fingerprint
from bot.audit.signing_key import load_signer
from bot.cli.audit_export import login
from bot.cli.output import DONE, FAILED, complain, say
from bot.cli.settings import Settings
from bot.cli.wiring import last_seal_file, open_store
from bot.errors import ConfigError
from bot.model.actions import Json
from bot.storage.key_changes import KeyChanges
from bot.storage.store import Store


async def acknowledge(store: Store, options: argparse.Namespace) -> int:
    """Record that somebody knows what a `tampered` record is about, or seals of strangers.

    Raises:
        ConfigError: Nothing is named.
    """
    if bool(options.records) == options.seals:
        raise ConfigError(["name the numbers of the records, or --seals"])
    facts: dict[str, Json] = {"user": login(), "via": "terminal", "reason": options.reason}
    if options.seals:
        gone = await store.audit_log.acknowledge_seals(facts)
        say(f"seals of strangers that were removed: {gone}; a record keeps what they said")
        return DONE if gone else FAILED
    result = await store.audit_log.acknowledge(options.records, facts)
    listed = ", ".join(str(one) for one in result.still_open) or "none"
    if not result.is_recorded:
        complain(f"nothing was acknowledged; records that are open: {listed}")
        return FAILED
    say(f"acknowledged; it stays on the trail, and verify goes on to name it. Still open: {listed}")
    return DONE


async def rotate_key(settings: Settings, options: argparse.Namespace) -> int:
    """Have a new key seal the trail from now on, signed by the one until now or abandoning it.

    Raises:
        ConfigError: There is no place for the new key, or no key until now.
    """
    store = open_store(settings, with_signer=False)
    try:
        if options.abandon_key:
            return await _abandon(settings, store, options.reason)
        return await _rotate(settings, store, options)
    finally:
        await store.close()


async def _rotate(settings: Settings, store: Store, options: argparse.Namespace) -> int:
    if settings.audit_key is None and not settings.key_file.exists():
        why = f"{settings.key_file} does not exist, so nothing can sign for a new key"
        raise ConfigError([f"STOPSTREAM_AUDIT_KEY_FILE: {why}; if it is lost: --abandon-key"])
    if settings.audit_key is not None and options.to is None:
        raise ConfigError(["--to: is missing; the new key goes there, and then to your secrets"])
    former = load_signer(settings.audit_key, settings.key_file)
    file = Path(options.to) if options.to else settings.key_file.with_name(_new(settings))
    successor = load_signer(None, file)
    # Where an earlier try broke off between the two, the trail has the new key already.
    if await store.audit_log.key() != successor.public:
        await _change(settings, store, successor, former=former, reason=options.reason)
    if options.to is None:
        file.replace(settings.key_file)
        file = settings.key_file
    _tell(successor, f"in {file}")
    return DONE


async def _abandon(settings: Settings, store: Store, reason: str) -> int:
    if not reason.strip():
        raise ConfigError(["--reason: is missing; the trail says why its key was abandoned"])
    successor = load_signer(settings.audit_key, settings.key_file)
    if await store.audit_log.key() in ("", successor.public):
        raise ConfigError(["--abandon-key: the trail has no other key than this one"])
    await _change(settings, store, successor, former=None, reason=reason)
    _tell(successor, "from STOPSTREAM_AUDIT_KEY" if settings.audit_key else "in its file")
    return DONE


async def _change(
    settings: Settings, store: Store, successor: Signer, *, former: Signer | None, reason: str
) -> None:
    facts: dict[str, Json] = {"user": login(), "via": "terminal", "reason": reason}
    given = {name: value for name, value in facts.items() if value}
    changes = KeyChanges(store.session, last_seal_file(settings))
    flaw = await changes.change(successor, former=former, facts=given)
    if flaw is not None:
        complain(f"the trail was changed before: {flaw.why}; see stopstream audit verify")


def _tell(successor: Signer, where: str) -> None:
    say(
        f"the trail is sealed with the key {fingerprint(successor.public)} from now on, {where}",
        "start every replica again with it; until then, one with the old key records nothing, "
        "and so runs nothing",
        f"its public key, for whoever verifies: {successor.public}",
    )


def _new(settings: Settings) -> str:
    return f"{settings.key_file.name}.new"
