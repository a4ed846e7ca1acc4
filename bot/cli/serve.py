"""`stopstream serve`: builds every object once, plugs them together, runs until told to stop."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Self

import structlog
from aiohttp import web

from bot import telemetry
from bot.audit import signing_key as keys
from bot.audit.hash_chain import Fact
from bot.catalog.registry import PRODUCTS
from bot.cli.settings import Settings, read_settings, variable
from bot.errors import ConfigError, DirectoryError, StoreError
from bot.model.actions import DEFAULT, Json, Site
from bot.operations.approvals import ApprovalService
from bot.operations.authorizer import Authorizer
from bot.operations.checkpointer import Checkpointer
from bot.operations.outbox_relay import OutboxRelay
from bot.operations.service import Service
from bot.operations.worker import Worker
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.watched_file import WatchedFile
from bot.storage import database
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.telemetry import Metrics
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import chain
from bot.times import parse_duration
from handlers.app import build_app
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.messenger import Messenger
from handlers.slack.transports import PATH, Identity, Socket, connect, receiver, web_client

log = structlog.get_logger("stopstream")


async def serve() -> int:
    """Run the bot with the settings of the environment; give the exit code."""
    settings = read_settings()
    telemetry.configure(settings.log_format)
    check_slack(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A stop must be heard while it still waits for Slack, too.
    opened = asyncio.Event()
    serving = asyncio.create_task(_until(settings, stop, opened))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        await asyncio.wait({serving}, timeout=_GRACE if opened.is_set() else 0.0)
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    return 0


_GRACE = 9.5
"""Seconds that a stop may take; what is not finished then is left to its lease."""


async def _until(settings: Settings, stop: asyncio.Event, opened: asyncio.Event) -> None:
    async with Server(settings):
        # What the start has made stays; looking it through again would hold up turns by 50 ms.
        gc.collect()
        gc.freeze()
        opened.set()
        await stop.wait()


def check_slack(settings: Settings) -> None:
    """Demand what `serve` needs of Slack.

    Raises:
        ConfigError: A token or the signing secret is missing.
    """
    problems = []
    if settings.slack_bot_token is None:
        problems.append("SLACK_BOT_TOKEN: is missing")
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        problems.append(
            "SLACK_SIGNING_SECRET: is missing; set it for HTTP, or SLACK_APP_TOKEN for Socket Mode"
        )
    if problems:
        raise ConfigError(problems)


def sites(settings: Settings) -> Mapping[str, Site]:
    """Give the site of every product."""
    return {product.name: settings.site(product.name, product.site) for product in PRODUCTS}


def policy_file(settings: Settings, *, keys: bool = True) -> WatchedFile[LoadedPolicy]:
    """Open the policy file.

    Args:
        keys: Read those of its accounts; without them nothing can be sent.

    Raises:
        ConfigError: It is absent or cannot be used.
    """
    load = loader(
        source=str(settings.policy),
        sites=sites(settings),
        region=settings.region,
        now=time.time(),
        variable=variable if keys else None,
    )
    return WatchedFile(settings.policy, load)


def open_store(settings: Settings, *, sealing: bool = True) -> Store:
    """Open the database, bring its schema up to date, and fetch the key that seals the trail.

    Args:
        sealing: Without it nothing may be written to the trail.

    Raises:
        ConfigError: The address or the key cannot be used.
        StoreError: The database does not answer.
    """
    engine = database.connect(settings.database_url)
    database.migrate(engine)
    owner = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns():x}"
    signer = keys.load_signer(settings.audit_key, settings.key_file) if sealing else None
    return Store(engine, owner=owner, audit_channel=settings.audit_channel, signer=signer)


def open_cloud(settings: Settings, rules: Callable[[], LoadedPolicy]) -> TencentCloud:
    """Open the one client to Tencent Cloud.

    Args:
        rules: Gives the rules as they are now, which name the accounts.

    Raises:
        ConfigError: The credentials are given in part or with blanks.
    """
    return TencentCloud(
        credentials=chain(credential_values(settings)),
        accounts=lambda: rules().credentials,
        sites=sites(settings),
        base_url=settings.tencent_url or None,
    )


def credential_values(settings: Settings) -> Mapping[str, str]:
    """Give the official environment names with what the settings hold."""
    key, token = settings.secret_key, settings.token
    return {
        "TENCENTCLOUD_SECRET_ID": settings.secret_id,
        "TENCENTCLOUD_SECRET_KEY": key.get_secret_value() if key else "",
        "TENCENTCLOUD_TOKEN": token.get_secret_value() if token else "",
    }


class Server:
    """The whole program, from the settings on.

    Health and metrics answer from the first moment, readiness once Slack is reached.

    Args:
        clock: Seconds, monotonic, by which its loops are watched.

    Attributes:
        url: Where it listens, once it does.
        supervisor: Keeps its loops running.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = ""
        self.metrics = Metrics()
        self.supervisor = Supervisor(self.metrics, clock=clock)
        self._settings = settings
        self._rules = policy_file(settings)
        self._parts = contextlib.AsyncExitStack()
        self._store: Store | None = None
        self._desk: Messenger | None = None
        self._socket: Socket | None = None
        self._take: Callable[[web.Request], Awaitable[web.Response]] | None = None
        self._serving = False
        self._own = DEFAULT

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._serving = False
        await self._parts.aclose()

    async def _open(self) -> None:
        """Open room after room; what was opened last is closed first."""
        settings = self._settings
        store = self._store = open_store(settings)
        self._parts.push_async_callback(store.close)
        await self._listen()
        token = settings.slack_bot_token
        client = await self._parts.enter_async_context(
            web_client(token.get_secret_value() if token else "", settings.slack_api_url)
        )
        identity = await self._identify(lambda: connect(client))
        store.session.workspace = identity.url
        directory = Directory(client, team=identity.team)
        cloud = open_cloud(settings, lambda: self._rules.value)
        self._parts.push_async_callback(cloud.close)
        desk = self._desk = Messenger(
            client,
            bot=identity.bot,
            audit_channel=settings.audit_channel,
            lost=directory.forget_channel,
        )
        supervisor = self.supervisor
        courier = OutboxRelay(store=store, desk=desk, metrics=self.metrics, supervisor=supervisor)
        courier.start()
        self._parts.push_async_callback(courier.stop)
        rights = Authorizer(
            store=store,
            directory=directory,
            rules=lambda: self._rules.value,
            team=identity.team,
        )
        engine = Worker(
            store=store, cloud=cloud, rights=rights, metrics=self.metrics, supervisor=supervisor
        )
        engine.start()
        self._parts.push_async_callback(engine.stop)
        approvals = ApprovalService(
            store=store, engine=engine, rights=rights, supervisor=supervisor
        )
        approvals.start()
        self._parts.push_async_callback(approvals.stop)
        service = Service(
            store=store,
            engine=engine,
            approvals=approvals,
            directory=directory,
            rules=lambda: self._rules.value,
            team=identity.team,
            metrics=self.metrics,
        )
        errands = BackgroundQueue(supervisor=supervisor)
        errands.start()
        self._parts.push_async_callback(errands.stop)
        secret = settings.slack_signing_secret
        signing_secret = secret.get_secret_value() if secret else ""
        app = build_app(
            client=client,
            identity=identity,
            service=service,
            errands=errands,
            directory=directory,
            signing_secret=signing_secret,
        )
        await self._say_started(store, identity)
        self._watch(store)
        self._keep(store)
        if settings.slack_app_token is not None:
            token = settings.slack_app_token
            self._socket = Socket(app, token.get_secret_value(), supervisor=supervisor)
            self._parts.push_async_callback(self._socket.close)
            await self._socket.start()
        else:
            self._take = receiver(app, signing_secret=signing_secret)
        self._serving = True

    async def _identify(self, ask: Callable[[], Awaitable[Identity]]) -> Identity:
        """Find out who the bot is, for as long as it takes Slack to answer."""
        wait = 0.5
        while True:
            try:
                return await ask()
            except DirectoryError as error:
                log.error("Slack is not reached", why=str(error), again_in=wait)
                await asyncio.sleep(wait)
                wait = min(30.0, wait * 2)

    async def _say_started(self, store: Store, identity: Identity) -> None:
        facts: dict[str, Json] = {
            "replica": store.session.owner,
            "team": identity.team,
            "policy": self._rules.digest,
        }
        await store.audit_log.record(Fact("started", "", facts))
        await self._adopt(store)
        self._parts.push_async_callback(self._say_stopped, store)
        log.info("started", workspace=identity.url, policy=self._rules.digest[:12])

    async def _say_stopped(self, store: Store) -> None:
        try:
            await store.audit_log.record(Fact("stopped", "", {"replica": store.session.owner}))
        except StoreError as error:
            log.error("the stop is not on the trail", why=str(error))

    def _keep(self, store: Store) -> None:
        settings = self._settings
        keep = parse_duration(settings.audit_keep) if settings.audit_keep else None
        every = parse_duration(settings.audit_checkpoint)
        keeper = Checkpointer(store, every=every, keep=keep, supervisor=self.supervisor)
        keeper.start()
        self._parts.callback(keeper.stop)

    # --- the policy file -------------------------------------------------------------

    def _watch(self, store: Store) -> None:
        look = partial(self._watch_policy, store)
        loop = self.supervisor.start("policy file", look, every=1.0, after=1.0)
        self._parts.callback(loop.stop)

    async def _watch_policy(self, store: Store) -> None:
        try:
            changed = self._rules.refresh()
            if changed:
                log.info("policy loaded", policy=self._rules.digest[:12])
                facts: dict[str, Json] = {"policy": self._rules.digest}
                await store.audit_log.record(Fact("policy loaded", "", facts))
                await self._adopt(store)
        except ConfigError as error:
            log.error("the policy file is broken; the old one stays", problems=error.problems)
            await self._say_broken(store, error)
        except StoreError as error:
            log.error("the new policy is not on the trail", why=str(error))

    async def _adopt(self, store: Store) -> None:
        """Keep what is off and held where the bot's own account has another name."""
        rules, was = self._rules.value, self._own
        self._own = rules.bots_own or was
        for name in {DEFAULT, was} - set(rules.policy.account_names):
            if rules.bots_own:
                await store.off_air.adopt_account(name, rules.bots_own)

    async def _say_broken(self, store: Store, error: ConfigError) -> None:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        text = f"The policy file is broken, so the old one stays: {error.problems[0]}{more}"
        problems: list[Json] = list(error.problems[:20])
        try:
            await store.outbox.announce(
                f"policy:{store.session.owner}:{time.time_ns()}",
                text,
                {"problems": problems},
                "policy broken",
            )
        except StoreError as trouble:
            log.error("the broken policy is not on the trail", why=str(trouble))

    # --- the HTTP side ---------------------------------------------------------------

    async def _listen(self) -> None:
        app = web.Application(client_max_size=2 * 1024 * 1024)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._figures)
        app.router.add_post(PATH, self._slack)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
        await runner.setup()
        self._parts.push_async_callback(runner.cleanup)
        host, port = self._settings.address
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                [f"STOPSTREAM_LISTEN: {self._settings.listen}: {error.strerror or error}"]
            ) from None
        host, port = runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("listening", url=self.url)

    async def _slack(self, request: web.Request) -> web.Response:
        if self._take is None:
            why = "in Socket Mode Slack does not call here" if self._socket else "not ready yet"
            return web.Response(status=404 if self._socket else 503, text=why + "\n")
        return await self._take(request)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        trouble = await self._trouble()
        if trouble:
            return web.Response(status=503, text=trouble + "\n")
        return web.Response(text="ready\n")

    async def _trouble(self) -> str:
        """Say why it cannot serve now, or nothing."""
        if self._store is None or not self._serving:
            return "starting: Slack is not reached yet"
        if self._socket is not None and not self._socket.healthy:
            return "no socket to Slack stands"
        if self._desk is not None and self._desk.trouble:
            return self._desk.trouble
        if trouble := self.supervisor.trouble():
            return trouble
        try:
            async with asyncio.timeout(2.0):
                await self._store.ready()
        except (StoreError, TimeoutError) as error:
            return f"the database cannot be written: {str(error) or 'it does not answer'}"
        return ""

    async def _figures(self, _request: web.Request) -> web.Response:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self.metrics.owed.set(await self._store.outbox.depth())
        return web.Response(
            body=self.metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
