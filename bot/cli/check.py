"""`stopstream check`: looks at everything that can be wrong before the bot is started."""

import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from bot.audit.checkpoints import fingerprint
from bot.catalog.error_codes import Sort, explain
from bot.cli.alert_sources import missing_of_alerts, open_sources
from bot.cli.live_source import callback_keys
from bot.cli.misspelt import misspelt, misspelt_files
from bot.cli.other_clocks import harmless_read
from bot.cli.output import DONE, FAILED, USAGE, complain, one_line, say
from bot.cli.policy import summary
from bot.cli.secret_files import secrets_folder
from bot.cli.settings import Settings
from bot.cli.store_place import place_of, sentence_of
from bot.cli.traces import missing_extra
from bot.cli.wiring import (
    missing_of_slack,
    missing_of_webhook,
    open_cloud,
    open_credentials,
    open_policy,
    open_store,
    trail_signer,
)
from bot.clock_skew import MOST, ClockSkew
from bot.errors import ApiError, CloudError, ConfigError, StopstreamError, StoreError
from bot.model.ports import Cloud
from bot.policy.lockout import allows_nothing
from bot.storage import audit_end, database
from bot.storage.audit_end import TrailKey
from bot.tencent.credentials import CredentialSource
from bot.times import format_utc
from handlers import manifest
from handlers.slack.installation import check_places, check_socket
from handlers.slack.web_client import Identity, connect, web_client

Findings: TypeAlias = AsyncIterator[tuple[bool, str]]
"""Whether each thing is as it should be, with a line that says so."""

_NOTHING: Mapping[str, str] = {}

_SEALS_SINCE = "0003"
"""The migration that brought the table of seals."""

_ROOM = 10_000_000
"""Bytes without which a disk is as good as full: the database writes to a log of its own first."""

_OPERATOR_ERRORS = frozenset({Sort.KEY, Sort.CLOCK, Sort.PERMISSION, Sort.ACCOUNT, Sort.OURS})
"""What the operator of the bot has to repair, not who asks for an action."""


async def check(
    settings: Settings, *, names: Iterable[str] = (), unusable: Mapping[str, str] = _NOTHING
) -> int:
    """Check settings, policy, database, Slack and cloud, and print a line for each finding.

    Args:
        names: Of the variables in the environment that are not empty.
        unusable: A line for each setting that was left out because it cannot be used. They go to
            standard error, and the rest is checked without them.
    """
    for problem in unusable.values():
        complain(problem, "FIX")
    problems = 0
    reported: list[str] = [*unusable.values()]
    skew = ClockSkew()
    checks = (
        _check_names(names),
        _check_policy(settings),
        _check_store(settings),
        _check_sink(settings),
        _check_alerts(settings),
        _check_traces(settings),
        _check_slack(settings, skew, unusable),
        _check_cloud(settings, skew),
        _check_clock(skew),
    )
    for findings in checks:
        try:
            async for fine, line in findings:
                problems += not fine
                say(f"{'ok ' if fine else 'FIX'} {line}")
        except ConfigError as error:
            # More than one check reads the policy file.
            new = [problem for problem in error.problems if problem not in reported]
            reported += new
            problems += len(new)
            say(*(f"FIX {problem}" for problem in new))
        except StopstreamError as error:
            problems += 1
            say(f"FIX {one_line(str(error))}")
    if unusable:
        return USAGE
    return FAILED if problems else DONE


async def _check_traces(settings: Settings) -> Findings:
    """Say whether traces can be sent; nothing is sent."""
    if settings.otlp_endpoint:
        missing = missing_extra(settings)
        yield not missing, missing or "traces go to OTEL_EXPORTER_OTLP_ENDPOINT"


async def _check_names(names: Iterable[str]) -> Findings:
    """Look for variables, and files of the secrets' folder, that are misspelt settings."""
    for fine, line in misspelt(names):
        yield fine, line
    folder = secrets_folder()
    try:
        files = [file.name for file in folder.iterdir()] if folder else []
    except PermissionError:
        # Its files can be read by name all the same.
        files = []
    for fine, line in misspelt_files(files):
        yield fine, line


async def _check_policy(settings: Settings) -> Findings:
    policy = open_policy(settings).value.policy
    if why := allows_nothing(policy):
        yield False, f"policy: {settings.policy} {why}"
    else:
        yield True, f"policy: {settings.policy} is valid: {summary(policy)}"


async def _check_store(settings: Settings) -> Findings:
    """Look at the database and the key; make neither, and change no schema."""
    try:
        async for fine, line in _store_findings(settings):
            yield fine, line
    except StoreError as error:
        error.place = place_of(settings)
        yield False, f"{sentence_of(error)}; STOPSTREAM_DATABASE_URL says which one it is"


async def _store_findings(settings: Settings) -> Findings:
    engine = database.connect(settings.database_url)
    try:
        schema = database.schema(engine)
        has_seals = schema.current is not None and schema.current >= _SEALS_SINCE
        trail_key = audit_end.read_trail_key(engine) if has_seals else TrailKey()
    finally:
        engine.dispose()
    if schema.is_usable:
        store = open_store(settings, with_signer=False)
        try:
            await store.ready()
        finally:
            await store.close()
        yield True, "database: it can be written"
        if settings.database_file is not None:
            for fine, line in _room("database", settings.database_file):
                yield fine, line
    elif schema.current is not None:
        yield _upgrade_needed(schema)
    elif settings.database_file is None:
        yield True, "database: it is empty, and the first start makes its tables"
    else:
        yield _is_to_be_made("database", settings.database_file)
    if settings.audit_key is None and not settings.key_file.exists() and not trail_key.public:
        yield _is_to_be_made("trail", settings.key_file)
        return
    key = trail_signer(settings, trail_key).public
    where = "the environment" if settings.audit_key else str(settings.key_file)
    yield True, f"trail: sealed with the key {fingerprint(key)} from {where}; public key {key}"


async def _check_sink(settings: Settings) -> Findings:
    """Look at the ways out of the trail: whether a file can be written; ask no address."""
    for problem in missing_of_webhook(settings):
        yield False, problem
    if settings.webhook_url and settings.webhook_secrets:
        host, count = urlsplit(settings.webhook_url).hostname, len(settings.webhook_secrets)
        signed = "two secrets, until the old one is taken out" if count > 1 else "its secret"
        yield True, f"webhook: events go to {host}, signed with {signed}; nothing was sent now"
    file = settings.audit_sink_file
    if file is None:
        return
    if file.exists():
        fine = file.is_file() and os.access(file, os.R_OK | os.W_OK)
        yield fine, f"audit sink: {file} can{'' if fine else 'not'} be written"
        for fine, line in _room("audit sink", file):
            yield fine, line
    else:
        yield _is_to_be_made("audit sink", file)


async def _check_alerts(settings: Settings) -> Findings:
    """Say which routes take alerts, and whether they have a channel."""
    for problem in missing_of_alerts(settings):
        yield False, problem
    if settings.alert_channel and (names := open_sources(settings)):
        routes = ", ".join(f"/hooks/{name}" for name in names)
        yield True, f"alerts: {routes} for {settings.alert_channel}"
    if settings.live_callback_key is not None:
        shown = "shown in " + settings.alert_channel if settings.alert_channel else "not shown"
        hint = "" if settings.alert_channel else ": set STOPSTREAM_ALERT_CHANNEL"
        yield True, f"callbacks: /hooks/live has a key; flagged content is {shown}{hint}"
    for line in _accounts_without_callbacks(settings):
        yield True, line


def _accounts_without_callbacks(settings: Settings) -> Iterator[str]:
    """Yield a line for each account whose callbacks are refused, where others are taken."""
    loaded = open_policy(settings).value
    keys = callback_keys(settings, loaded)
    for account in loaded.policy.account_names if keys else ():
        if account not in keys:
            named = f"name a variable as accounts.{account}.callback_key in the policy"
            yield f"callbacks: {account} has no key, so its callbacks are refused; {named}"


def _upgrade_needed(schema: database.Schema) -> tuple[bool, str]:
    """Return whether the next start can use a schema that is not this release's, and a line."""
    needs = f"its schema is {schema}, and this release needs {database.HEAD}"
    return schema.is_safe_to_upgrade, f"database: {needs}: {schema.next_step}"


def _is_to_be_made(subject: str, file: Path) -> tuple[bool, str]:
    """Return whether the first start can make a file, and a line that says so."""
    if os.access(file.parent, os.W_OK | os.X_OK):
        return True, f"{subject}: the first start makes {file}"
    return False, f"{subject}: {file} is not there, and {file.parent.absolute()} is not writable"


def _room(subject: str, file: Path) -> Iterator[tuple[bool, str]]:
    """Yield a line where the disk of a file is full or nearly so; nothing is written to try it."""
    left = shutil.disk_usage(file.parent).free
    if left < _ROOM:
        yield False, f"{subject}: {left / 1e6:.1f} MB are left on the disk of {file}: make room"


async def _check_slack(
    settings: Settings, skew: ClockSkew, unusable: Mapping[str, str]
) -> Findings:
    for problem in missing_of_slack(settings):
        if problem.partition(":")[0] not in unusable:
            yield False, problem
    token = settings.slack_bot_token
    if token is None:
        return
    async with web_client(token.get_secret_value(), settings.slack_api_url, skew) as client:
        try:
            identity = await connect(client)
        except StopstreamError as error:
            # The app-level token is another one, and is asked about all the same.
            yield False, f"slack: {one_line(str(error))}"
            identity = None
        if settings.slack_app_token is not None:
            app_token = settings.slack_app_token.get_secret_value()
            fine, line = await check_socket(client, app_token)
            yield fine, f"slack: {line}"
        if identity is not None:
            for fine, line in _identity_findings(identity):
                yield fine, f"slack: {one_line(line)}"
            places = check_places(client, identity, _channels(settings), settings.owner)
            async for fine, line in places:
                yield fine, f"slack: {one_line(line)}"
    if not settings.audit_channel and "STOPSTREAM_AUDIT_CHANNEL" not in unusable:
        yield True, "slack: no STOPSTREAM_AUDIT_CHANNEL, so the trail is in the database alone"


def _channels(settings: Settings) -> dict[str, str]:
    """Return the channels that are set, by what is posted there."""
    channels = {"audit": settings.audit_channel, "alert": settings.alert_channel}
    return {purpose: channel for purpose, channel in channels.items() if channel}


def _identity_findings(identity: Identity) -> Iterator[tuple[bool, str]]:
    """Yield who the bot is, and how its scopes differ from those of the manifest."""
    where = f"{identity.workspace or identity.team} ({identity.url})"
    yield True, f"the bot is @{identity.name} ({identity.user}) in {where}"
    if not identity.scopes:
        yield True, "it does not tell the granted scopes, so they are not compared"
        return
    wanted = manifest.bot_scopes()
    for scope in sorted(wanted - identity.scopes):
        yield False, f"the scope {scope} is not granted; install the app again"
    for scope in sorted(identity.scopes - wanted):
        yield True, f"the scope {scope} is granted and not needed"


async def _check_cloud(settings: Settings, skew: ClockSkew) -> Findings:
    """Read the state of a stream that need not exist: harmless, and it shows that a key works."""
    loaded = open_policy(settings).value
    credentials = open_credentials(settings)
    cloud = open_cloud(settings, lambda: loaded, skew, credentials=credentials)
    has_key = False
    try:
        for account in loaded.policy.account_names:
            fine, line = await _check_account(cloud, account)
            has_key |= fine and loaded.credentials[account].source is None
            named = f" ({account})" if loaded.policy.accounts else ""
            yield fine, f"tencent cloud{named}: {line}"
    finally:
        await cloud.close()
    if has_key:
        yield True, f"tencent cloud: the key is from {_origin(credentials)}"


def _origin(credentials: CredentialSource) -> str:
    """Return where a key comes from, and when a temporary one lapses."""
    if credentials.until is None:
        return credentials.origin
    until = format_utc(int(credentials.until), "%Y-%m-%d %H:%M:%S")
    return f"{credentials.origin}; it lapses at {until} UTC, and is renewed before"


async def _check_clock(skew: ClockSkew) -> Findings:
    """Compare this machine's clock with those of the services that have answered."""
    for one in skew.each():
        fine = abs(one.seconds) <= MOST
        rest = "" if fine else f"; more than {MOST:.0f} s is refused: set it"
        yield fine, f"clock: {one.sentence()}{rest}"


async def _check_account(cloud: Cloud, account: str) -> tuple[bool, str]:
    read = harmless_read(account)
    action = read.action
    try:
        answer = await cloud.call(read)
    except ApiError as error:
        words = explain(error.code, action)
        if words.sort in _OPERATOR_ERRORS:
            skew = f" The clocks differ by {error.skew:.0f} s." if error.skew else ""
            return False, f"{error.code}: {words.means}{skew} {words.next_step}"
        return True, f"the key is taken ({error.code} for a made-up stream)"
    except CloudError as error:
        return False, one_line(str(error))
    return True, f"{action.api} was answered, RequestId {answer.request_id}"
