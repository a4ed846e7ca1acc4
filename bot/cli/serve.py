"""`stopstream serve`: opens every part of the bot, and runs until it is told to stop."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Self

import structlog
import uvloop
from pydantic import SecretStr

from bot import telemetry
from bot.audit.hash_chain import Fact
from bot.cli.alert_sources import alert_sources, missing_of_alerts
from bot.cli.hooks import Hooks
from bot.cli.http import HttpServer
from bot.cli.live_source import LiveSource
from bot.cli.output import DONE
from bot.cli.policy_reload import PolicyReloader, warn_of_lockout
from bot.cli.settings import Settings, read_settings
from bot.cli.stop_signals import stop_on_signal
from bot.cli.traces import open_traces
from bot.cli.wiring import (
    Parts,
    build,
    open_cloud,
    open_policy,
    open_sink,
    open_store,
    open_webhook,
    require_slack,
)
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, DirectoryError, StoreError
from bot.metrics import Metrics
from bot.model.actions import Action, Json, Site
from bot.operations.alert_offers import offers
from bot.operations.assembly import Operations
from bot.operations.audit_sink import SinkRelay
from bot.operations.checkpointer import Checkpointer
from bot.operations.retention import RetentionJob
from bot.policy.loader import LoadedPolicy
from bot.policy.watched_file import WatchedFile
from bot.release import version
from bot.storage import database
from bot.storage.message_integrity import STARTED
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.times import parse_duration
from bot.traces import NO_TRACES, Traces
from handlers.app import build_app
from handlers.messages.contacts import Contacts
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.http_receiver import receiver
from handlers.slack.messenger import Messenger
from handlers.slack.socket_mode import SocketMode
from handlers.slack.web_client import Identity, connect, web_client

log = structlog.get_logger("stopstream")

_GRACE = 8.8
"""Seconds after a signal at which what is not finished is left to its lease."""

_FAREWELL = 2.0
"""Seconds that the record of a stop may take, so that what is in hand keeps most of the time."""

_POLICY_INTERVAL = 1.0
"""Seconds between two looks at the policy file."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
"""Seconds before Slack is asked again who the bot is: the first time, and at most."""

_SWITCH = 0.0005
"""Seconds for which a thread may keep the interpreter while another waits for it.

The writer gives it up at each statement, and a commit has a dozen: by Python's usual 5 ms, an ack
waits for each of them while the loop computes.
"""


def run(loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> int:
    """Run the bot until it is told to stop, and return the exit code.

    Args:
        loop_factory: Makes the event loop; libuv's acks a quarter more a second than asyncio's own.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(serve())


async def serve() -> int:
    """Run the bot with the settings of the environment, and return the exit code."""
    settings = read_settings()
    telemetry.configure(
        settings.log_format, level=settings.log_level.upper(), secrets=settings.secrets()
    )
    require_slack(settings)
    if problems := missing_of_alerts(settings):
        raise ConfigError(problems)
    sys.setswitchinterval(_SWITCH)
    stop = asyncio.Event()
    stop_on_signal(stop)
    # A signal must also be obeyed while the start still waits for Slack.
    opened = asyncio.Event()
    serving = asyncio.create_task(_serve_until(stop, settings, opened))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        grace = _GRACE if opened.is_set() else 0.0
        await asyncio.wait({serving}, timeout=grace)
        if serving.cancel() and grace:
            log.warning("not all has ended; what is in hand is left to its lease", after=grace)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    return DONE


async def _serve_until(stop: asyncio.Event, settings: Settings, opened: asyncio.Event) -> None:
    async with Server(settings):
        # What the start has created lives on; collecting it again would block the loop for 50 ms.
        gc.collect()
        gc.freeze()
        opened.set()
        await stop.wait()


class Server:
    """The whole bot, from the settings on.

    Health and metrics answer from the first moment, readiness once Slack is reached.

    Args:
        policy: The policy file; by default the one of the settings.
        clock: Seconds, monotonic, by which its loops are watched.

    Attributes:
        policy: The policy file, with the policy as it is now.
        store: The database, once it is open.
        supervisor: Keeps its loops running.
        skew: How far the clocks of Slack and Tencent Cloud are from this machine's.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        policy: WatchedFile[LoadedPolicy] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.policy = policy or open_policy(settings)
        self.store: Store | None = None
        self.metrics = Metrics()
        self.metrics.build.info({"version": version(), "schema": database.HEAD})
        self.skew = ClockSkew()
        self.supervisor = Supervisor(self.metrics, clock=clock)
        self._http: HttpServer | None = None
        self._sink: SinkRelay | None = None
        self._webhook: SinkRelay | None = None
        self._traces: Traces = NO_TRACES
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens; empty before it does."""
        return self._http.url if self._http else ""

    @property
    def metrics_url(self) -> str:
        """Where it shows metrics; empty before it does."""
        return self._http.metrics_url if self._http else ""

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.disconnect()
        await self._stack.aclose()

    async def _open(self) -> None:
        """Open one part after the other; the last one is closed first."""
        settings = self.settings
        store = self.store = open_store(settings, may_create=True, may_upgrade=True)
        self._stack.push_async_callback(store.close)
        store.session.on_query = self.metrics.database.labels("read").observe
        store.session.writer.on_commit = self.metrics.database.labels("write").observe
        traces = open_traces(settings, replica=store.session.owner)
        self._traces = await self._stack.enter_async_context(traces)
        await store.outbox.adopt()
        sink = self._sink = open_sink(settings, store, self.supervisor)
        if sink is not None:
            sink.start()
            # What others record while they stop is copied, too.
            self._stack.push_async_callback(sink.stop)
        webhook = self._webhook = open_webhook(settings, store, self.supervisor)
        if webhook is not None:
            webhook.start()
            self._stack.push_async_callback(webhook.stop)
        http = self._http = await self._listen(store)
        client = await self._stack.enter_async_context(
            web_client(_text(settings.slack_bot_token), settings.slack_api_url, self.skew)
        )
        identity = await _identify(partial(connect, client))
        store.session.workspace = identity.url
        directory = Directory(client, team=identity.team)
        messenger = Messenger(
            client,
            bot=identity.bot,
            audit_channel=settings.audit_channel,
            on_channel_lost=directory.forget_channel,
            contacts=Contacts(settings.owner, self._site),
            alert_offers=lambda alert: offers(alert, self._loaded(), time.time()),
        )
        parts = self._start(store, directory, messenger, identity)
        background = BackgroundQueue(supervisor=self.supervisor)
        background.start()
        self._stack.push_async_callback(background.stop)
        signing_secret = _text(settings.slack_signing_secret)
        app = build_app(
            client=client,
            identity=identity,
            service=parts.operations.service,
            alert_service=parts.operations.alerts,
            moderation=parts.operations.moderation,
            background=background,
            directory=directory,
            is_late=parts.relay.is_late if parts.relay else lambda _channel: False,
        )
        await self._record_start(store, identity)
        self._start_checkpoints(store)
        hooks = self._hooks(store, parts.operations)
        if settings.slack_app_token is None:
            http.connect(
                messenger,
                receiver=receiver(app, signing_secret=signing_secret, metrics=self.metrics),
                hooks=hooks,
            )
        else:
            token = _text(settings.slack_app_token)
            socket = SocketMode(app, token, supervisor=self.supervisor, metrics=self.metrics)
            self._stack.push_async_callback(socket.close)
            await socket.start()
            http.connect(messenger, socket=socket, hooks=hooks)

    async def _listen(self, store: Store) -> HttpServer:
        http = HttpServer(
            store=store,
            metrics=self.metrics,
            supervisor=self.supervisor,
            skew=self.skew,
            sink=self._sink,
            webhook=self._webhook,
            metrics_apart=self.settings.metrics_address is not None,
        )
        self._stack.push_async_callback(http.stop)
        with _naming("STOPSTREAM_LISTEN", self.settings.listen):
            await http.start(*self.settings.address)
        if (address := self.settings.metrics_address) is not None:
            with _naming("STOPSTREAM_METRICS_LISTEN", self.settings.metrics_listen):
                await http.start_metrics(*address)
        log.info("listening", url=http.url, metrics=f"{http.metrics_url}/metrics")
        return http

    def _start(
        self, store: Store, directory: Directory, messenger: Messenger, identity: Identity
    ) -> Parts:
        """Build and start what works on operations."""
        cloud = open_cloud(self.settings, self._loaded, self.skew)
        self._stack.push_async_callback(cloud.close)
        parts = build(
            traces=self._traces,
            store=store,
            cloud=cloud,
            directory=directory,
            notifier=messenger,
            policy=self._loaded,
            team=identity.team,
            metrics=self.metrics,
            supervisor=self.supervisor,
            ask_expires=parse_duration(self.settings.ask_expires),
            alert_channel=self.settings.alert_channel,
            picture_hosts=self.settings.picture_hosts,
        )
        for part in (parts.relay, parts.operations.worker, parts.operations.approvals):
            if part is not None:
                part.start()
                self._stack.push_async_callback(part.stop)
        watcher = parts.operations.watcher
        watcher.start()
        self._stack.callback(watcher.stop)
        return parts

    def _hooks(self, store: Store, operations: Operations) -> Hooks:
        """Return what takes notices of other systems."""
        note = operations.watcher.note_notice
        live = LiveSource(
            self.settings,
            self._loaded,
            store,
            on_notice=note,
            moderation=operations.moderation,
            snapshots=operations.snapshots,
        )
        alerts = alert_sources(self.settings, operations.alerts)
        return Hooks((live, *alerts), self.metrics)

    def _loaded(self) -> LoadedPolicy:
        return self.policy.value

    def _site(self, action: Action, account: str) -> Site:
        return self.policy.value.vocabulary.site(action, account)

    async def _record_start(self, store: Store, identity: Identity) -> None:
        """Record that the bot runs and with which policy, and follow the policy from now on."""
        facts: dict[str, Json] = {
            "replica": store.session.owner,
            "team": identity.team,
            "policy": self.policy.digest,
            "version": version(),
            "schema": str(database.schema(store.session.engine)),
        }
        await store.audit_log.record(Fact(STARTED, "", facts))
        reloader = PolicyReloader(self.policy, store, self.metrics)
        await reloader.adopt_account()
        self._stack.push_async_callback(_record_stop, store)
        policy = self.policy.digest[:12]
        log.info("started", version=version(), workspace=identity.url, policy=policy)
        warn_of_lockout(self.policy.value.policy)
        every = _POLICY_INTERVAL
        loop = self.supervisor.start("policy file", reloader.check, every=every, after=every)
        self._stack.callback(loop.stop)

    def _start_checkpoints(self, store: Store) -> None:
        settings = self.settings
        keep = parse_duration(settings.audit_keep) if settings.audit_keep else None
        every = parse_duration(settings.audit_checkpoint)
        self.metrics.checkpoint_interval.set(every)
        checkpointer = Checkpointer(store, every=every, supervisor=self.supervisor)
        checkpointer.start()
        self._stack.callback(checkpointer.stop)
        if keep is not None:
            retention = RetentionJob(
                store,
                keep=keep,
                skew=self.skew,
                supervisor=self.supervisor,
                is_copied=self._is_copied,
            )
            retention.start()
            self._stack.callback(retention.stop)

    def _is_copied(self) -> bool:
        """Return whether the audit sink and the webhook have every record."""
        copies = (self._sink, self._webhook)
        return all(one is None or one.is_complete for one in copies)


@contextlib.contextmanager
def _naming(setting: str, value: str) -> Iterator[None]:
    """Raise ConfigError with the setting's name where its address cannot be used."""
    try:
        yield
    except OSError as error:
        # The loop's own words repeat the address; those of an unknown host have no such number.
        known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
        why = os.strerror(error.errno or 0) if known else error.strerror or str(error)
        raise ConfigError([f"{setting}: {value}: {why}"]) from None


async def _identify(ask: Callable[[], Awaitable[Identity]]) -> Identity:
    """Return who the bot is, after as many tries as it takes Slack to answer."""
    wait = _FIRST_WAIT
    while True:
        try:
            return await ask()
        except DirectoryError as error:
            log.error("Slack is not reached", why=str(error), again_in=wait)
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)


async def _record_stop(store: Store) -> None:
    try:
        async with asyncio.timeout(_FAREWELL):
            await store.audit_log.record(Fact("stopped", "", {"replica": store.session.owner}))
    except (StoreError, TimeoutError) as error:
        log.error("the stop is not on the trail", why=str(error) or "the database does not answer")


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
