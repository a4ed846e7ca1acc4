"""Builds the objects of the program from its settings and connects them."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.audit.checkpoints import Signer, fingerprint
from bot.audit.last_seal import LastSealFile
from bot.audit.signing_key import load_signer
from bot.audit.trail_file import TrailFile
from bot.catalog.registry import PRODUCTS
from bot.cli.output import complain
from bot.cli.secret_files import variable
from bot.cli.settings import Settings
from bot.cli.store_place import naming_database
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, DirectoryError, StoreError
from bot.metrics import Metrics
from bot.model.actions import Site
from bot.model.people import Actor, Person, Presence, UsersByName
from bot.model.ports import Cloud, Directory, Notifier
from bot.operations.assembly import Operations, assemble
from bot.operations.audit_sink import Copy, SinkRelay
from bot.operations.file_sink import FileSink
from bot.operations.http_sink import HttpSink
from bot.operations.outbox_relay import PATIENCE, SPACING, OutboxRelay
from bot.operations.transitions import ASK_EXPIRES
from bot.operations.webhook_events import secret_bytes
from bot.operations.webhook_sink import WebhookSink
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.watched_file import WatchedFile
from bot.storage import audit_end, database
from bot.storage.audit_end import TrailKey
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.tencent.client import TencentCloud
from bot.tencent.credential_chain import chain
from bot.tencent.credentials import CredentialSource
from bot.tencent.roles import KeyService
from bot.traces import NO_TRACES, Traces
from handlers.slack.directory import Directory as SlackDirectory
from handlers.slack.web_client import connect, web_client


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one replica; nothing in it has been started.

    Attributes:
        team: The bot's own workspace.
        operations: What takes, approves and runs them.
        relay: None where nothing is delivered, as from a terminal.
    """

    team: str
    store: Store
    operations: Operations
    relay: OutboxRelay | None


def build(
    *,
    store: Store,
    cloud: Cloud,
    directory: Directory,
    notifier: Notifier | None,
    policy: Callable[[], LoadedPolicy],
    team: str,
    metrics: Metrics,
    supervisor: Supervisor,
    traces: Traces = NO_TRACES,
    retry_after: float = 1.0,
    ask_expires: float = ASK_EXPIRES,
    spacing: float = SPACING,
    channel_patience: float = PATIENCE,
    alert_channel: str = "",
    picture_hosts: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> Parts:
    """Connect the parts of one replica.

    Args:
        notifier: Delivers what the outbox holds; None leaves it to other replicas.
        policy: Returns the policy as it is now.
        retry_after: Seconds before the second try of a request.
        ask_expires: Seconds that may pass from the asking, or the last consent, to the sending.
        spacing: Seconds between two messages to one channel, over all replicas.
        channel_patience: Seconds between two tries of a closed audit channel.
        alert_channel: Where the notices of monitoring systems are shown; may be empty.
        picture_hosts: See `pictures.is_allowed`.
        clock: Epoch seconds.
    """
    operations = assemble(
        store=store,
        cloud=cloud,
        directory=directory,
        policy=policy,
        team=team,
        metrics=metrics,
        supervisor=supervisor,
        traces=traces,
        retry_after=retry_after,
        ask_expires=ask_expires,
        alert_channel=alert_channel,
        picture_hosts=picture_hosts,
        clock=clock,
    )
    relay = None
    if notifier is not None:
        relay = OutboxRelay(
            store=store,
            notifier=notifier,
            metrics=metrics,
            supervisor=supervisor,
            traces=traces,
            spacing=spacing,
            patience=channel_patience,
            epoch=clock,
        )
    return Parts(team, store, operations, relay)


def require_slack(settings: Settings) -> None:
    """Check that everything is set that `serve` needs of Slack.

    Raises:
        ConfigError: A token or the signing secret is missing.
    """
    if problems := missing_of_slack(settings):
        raise ConfigError(problems)


def missing_of_slack(settings: Settings) -> list[str]:
    """Return a line for each setting that `serve` needs of Slack and that is missing."""
    problems = []
    if settings.slack_bot_token is None:
        problems.append("SLACK_BOT_TOKEN: is missing")
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        problems.append(
            "SLACK_SIGNING_SECRET: is missing; set it for HTTP, or SLACK_APP_TOKEN for Socket Mode"
        )
    return problems


def open_policy(settings: Settings, *, with_keys: bool = True) -> WatchedFile[LoadedPolicy]:
    """Read the policy file.

    Args:
        with_keys: Read the keys of its accounts; without them nothing can be sent.

    Raises:
        ConfigError: It is absent or cannot be used.
    """
    if not settings.policy.exists():
        how = "stopstream policy init writes a first one"
        raise ConfigError([f"{settings.policy}: does not exist; {how}"])
    load = loader(
        source=str(settings.policy),
        sites=_sites(settings),
        region=settings.region,
        now=time.time(),
        variable=variable if with_keys else None,
    )
    return WatchedFile(settings.policy, load)


def open_sink(settings: Settings, store: Store, supervisor: Supervisor) -> SinkRelay | None:
    """Return what copies the audit log to the sink that is set; None if there is none."""
    sink = _sink(settings, store)
    return SinkRelay(sink, supervisor=supervisor) if sink else None


def _sink(settings: Settings, store: Store) -> FileSink | HttpSink | None:
    if not settings.audit_sink:
        return None
    if (file := settings.audit_sink_file) is not None:
        return FileSink(store, TrailFile(file))
    token = settings.audit_sink_token
    return HttpSink(store, settings.audit_sink, token.get_secret_value() if token else "")


def open_webhook(settings: Settings, store: Store, supervisor: Supervisor) -> SinkRelay | None:
    """Return what tells the webhook that is set of events; None if there is none.

    Raises:
        ConfigError: It has no secret.
    """
    if problems := missing_of_webhook(settings):
        raise ConfigError(problems)
    webhook = _webhook(settings, store)
    return SinkRelay(webhook, supervisor=supervisor, what="webhook") if webhook else None


def _webhook(settings: Settings, store: Store) -> WebhookSink | None:
    if not settings.webhook_url:
        return None
    secrets = [secret_bytes(one.get_secret_value()) for one in settings.webhook_secrets]
    return WebhookSink(store, settings.webhook_url, secrets)


def open_copies(settings: Settings, store: Store) -> list[Copy]:
    """Return the places outside the database that must have a record before it is removed."""
    return [one for one in (_sink(settings, store), _webhook(settings, store)) if one is not None]


def missing_of_webhook(settings: Settings) -> list[str]:
    """Return a line for what the webhook needs and what is not set."""
    if bool(settings.webhook_url) == bool(settings.webhook_secrets):
        return []
    absent = "SECRET" if settings.webhook_url else "URL"
    return [f"STOPSTREAM_WEBHOOK_{absent}: is missing; address and secret go together"]


def open_store(
    settings: Settings,
    *,
    with_signer: bool = True,
    may_create: bool = False,
    may_upgrade: bool = False,
) -> Store:
    """Open the database, and load the key that signs the audit log.

    Args:
        with_signer: Without the key, nothing may be written to the audit log.
        may_create: See `database.prepare`.
        may_upgrade: See `database.prepare`.

    Raises:
        ConfigError: The address or the key cannot be used.
        StoreError: The database does not answer, or has a schema that this release can't use.
    """
    engine = database.connect(settings.database_url)
    try:
        with naming_database(settings):
            database.prepare(engine, may_create=may_create, may_upgrade=may_upgrade)
    except StoreError:
        engine.dispose()
        raise
    signer = trail_signer(settings, audit_end.read_trail_key(engine)) if with_signer else None
    owner = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns():x}"
    return Store(
        engine,
        owner=owner,
        audit_channel=settings.audit_channel,
        signer=signer,
        last_seal=last_seal_file(settings),
    )


def last_seal_file(settings: Settings) -> LastSealFile:
    """Return the file beside the key that keeps where the audit log ended."""
    key = settings.key_file
    return LastSealFile(key.with_name(f"{key.name}.{database.name_of(settings.database_url)}.end"))


def trail_signer(settings: Settings, trail_key: TrailKey) -> Signer:
    """Return the signer, with the key that the audit log is sealed with.

    Raises:
        ConfigError: It has another key, or the key is not there any more.
    """
    file = settings.key_file
    if trail_key.public and settings.audit_key is None and not file.exists():
        why = (
            f"{file} does not exist, and the trail is sealed with the key "
            f"{fingerprint(trail_key.public)}: put it back; if it is lost, run stopstream audit "
            "rotate-key --abandon-key"
        )
        raise ConfigError([f"STOPSTREAM_AUDIT_KEY_FILE: {why}"])
    signer = load_signer(settings.audit_key, file)
    if objection := trail_key.objection(signer.public):
        where = "STOPSTREAM_AUDIT_KEY" if settings.audit_key else "STOPSTREAM_AUDIT_KEY_FILE"
        raise ConfigError([f"{where}: {objection}"])
    return signer


def open_cloud(
    settings: Settings,
    policy: Callable[[], LoadedPolicy],
    skew: ClockSkew | None = None,
    *,
    credentials: CredentialSource | None = None,
) -> TencentCloud:
    """Open the one client to Tencent Cloud.

    Args:
        policy: Returns the policy as it is now, which names the accounts.
        skew: Told of the time that each answer names.
        credentials: The bot's own key; by default what `open_credentials` returns.

    Raises:
        ConfigError: See `open_credentials`.
    """
    return TencentCloud(
        credentials=credentials or open_credentials(settings),
        accounts=lambda: policy().credentials,
        sites=_sites(settings),
        base_url=settings.tencent_url or None,
        skew=skew,
    )


def open_credentials(settings: Settings) -> CredentialSource:
    """Return where the bot's own key comes from; nothing is asked for one yet.

    Raises:
        ConfigError: The key or the role is incomplete, or its file cannot be read.
    """
    site = ".intl" if settings.site("sts", "mainland") == "intl" else ""
    address = settings.tencent_url or f"https://sts{site}.tencentcloudapi.com/"
    return chain(_credential_values(settings), service=KeyService(sts=address))


def _sites(settings: Settings) -> Mapping[str, Site]:
    return {product.name: settings.site(product.name, product.site) for product in PRODUCTS}


def _credential_values(settings: Settings) -> Mapping[str, str]:
    """Return the settings under the official names of the environment."""
    key, token = settings.secret_key, settings.token
    return {
        "TENCENTCLOUD_SECRET_ID": settings.secret_id,
        "TENCENTCLOUD_SECRET_KEY": key.get_secret_value() if key else "",
        "TENCENTCLOUD_TOKEN": token.get_secret_value() if token else "",
        "TENCENTCLOUD_CREDENTIALS_FILE": settings.credentials_file,
        "TENCENTCLOUD_ROLE_ARN": settings.role_arn,
        "TENCENTCLOUD_ROLE_SESSION_NAME": settings.role_session,
        "TKE_REGION": settings.tke_region,
        "TKE_PROVIDER_ID": settings.tke_provider,
        "TKE_WEB_IDENTITY_TOKEN_FILE": settings.tke_token_file,
        "TKE_ROLE_ARN": settings.tke_role_arn,
    }


class OfflineDirectory:
    """A directory for when Slack is down: every actor is the user that the terminal names.

    Nobody is in a user group, because nobody can be asked; so only users whom the policy lists
    by id may do anything.
    """

    def __init__(self, team: str) -> None:
        self._team = team

    async def person(self, actor: Actor) -> Person:
        """Return the actor as a member of the bot's own workspace."""
        return Person(actor.user, self._team)

    def known(self, actor: Actor) -> Person | None:
        """Return the same."""
        return Person(actor.user, self._team)

    async def groups(self, user: str, among: frozenset[str]) -> frozenset[str]:  # noqa: ARG002
        """Return no group."""
        return frozenset()

    def groups_age(self, among: frozenset[str]) -> None:
        """Return None: nothing is known."""

    async def called(self, name: str) -> UsersByName:  # noqa: ARG002
        """Return nobody."""
        return UsersByName((), complete=False)

    async def presence(self, channel: str) -> Presence:  # noqa: ARG002
        """Return that it is not known; the outbox is delivered once Slack is back."""
        return Presence.UNKNOWN


_TERMINAL_TEAM = "terminal"
_SLACK_PATIENCE = 5.0
"""Seconds that a terminal waits for Slack to answer."""


@asynccontextmanager
async def open_directory(settings: Settings) -> AsyncIterator[tuple[str, Directory]]:
    """Yield the workspace and Slack's directory, or the offline one while Slack is down."""
    token = settings.slack_bot_token
    if token is None:
        yield _TERMINAL_TEAM, OfflineDirectory(_TERMINAL_TEAM)
        return
    async with web_client(token.get_secret_value(), settings.slack_api_url) as client:
        try:
            async with asyncio.timeout(_SLACK_PATIENCE):
                identity = await connect(client)
        except (DirectoryError, TimeoutError):
            complain("Slack is not reached: only users whom the policy lists by id count now")
            yield _TERMINAL_TEAM, OfflineDirectory(_TERMINAL_TEAM)
        else:
            yield identity.team, SlackDirectory(client, team=identity.team)
