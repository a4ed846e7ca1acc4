"""An emulated Tencent Cloud on loopback: it refuses what the real one refuses, with its codes.

It answers from the catalog alone, so a new action needs no second declaration.
"""

import asyncio
import json
import time
import uuid
from collections import ChainMap, deque
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Self

from aiohttp import web

from bot.catalog.live import SCREENSHOT_TASK, STREAM, STREAM_KEY
from bot.catalog.registry import ACTIONS
from bot.model.actions import Action, Json, Params, Site
from bot.sandbox.tencent import flagged
from bot.sandbox.tencent.authentication import Key, authenticate, is_signed_v1
from bot.sandbox.tencent.callbacks import Callbacks
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.faults import Fault, FaultQueue, raw
from bot.sandbox.tencent.flagged import Flag
from bot.sandbox.tencent.hosts import check_host, site_of
from bot.sandbox.tencent.parameters import parse_params
from bot.sandbox.tencent.requests import Received, Request
from bot.sandbox.tencent.resources import Resources
from bot.sandbox.tencent.sts import APIS, TokenService

LARGEST = {"GET": 32 * 1024, "POST": 10 * 1024 * 1024}


class CloudEmulator:
    """The emulated cloud.

    Args:
        keys: By SecretId.
        site: The site that it emulates; None for each product's own.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Key],
        actions: Sequence[Action] = ACTIONS,
        site: Site | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.resources = Resources()
        self.sts = TokenService()
        self.faults = FaultQueue()
        self.received: deque[Received] = deque(maxlen=100_000)
        self.listeners: list[Callable[[], None]] = []
        """Called at every request."""
        self.skew = 0.0
        """Seconds by which this cloud's clock is ahead."""
        self._keys = keys
        self._actions = {action.api: action for action in actions}
        self._site = site
        self._clock = clock
        self.callbacks = Callbacks(self._live_streams, lambda: self.now)
        self._recent: dict[str, deque[float]] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""
        """The address, once it has started."""

    async def start(self, port: int = 0) -> str:
        """Listen on loopback, and return the address."""
        app = web.Application(client_max_size=LARGEST["POST"] + 1)
        app.router.add_route("*", "/", self._serve)
        app.router.add_get(flagged.PATH, flagged.serve_picture)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.callbacks.start()
        return self.url

    async def close(self) -> None:
        """Stop listening, and telling what is pushed."""
        await self.callbacks.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def now(self) -> float:
        """This cloud's clock."""
        return self._clock() + self.skew

    def _live_streams(self) -> set[tuple[str, ...]]:
        states = self.resources.states(self.now).items()
        return {key for (kind, key), state in states if (kind, state) == (STREAM.name, STREAM.on)}

    def flag(self, *key: str, flag: Flag = Flag()) -> None:  # noqa: B008 (it is frozen)
        """Have content moderation flag the picture of a stream: its name, domain and path."""
        self.callbacks.flag(key, flag, self.url)

    def ran(self, api: str = "") -> list[Received]:
        """Return the requests that took effect."""
        return [one for one in self.received if one.ran and api in ("", one.api)]

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        request = Request(
            http.method,
            http.raw_path.partition("?")[2],
            {name.lower(): value for name, value in http.headers.items()},
            await http.read(),
        )
        fault: Fault = self.faults.take(request.headers.get("x-tc-action", ""))
        if fault.before is not None:
            return await fault.before(http)
        request_id = str(uuid.uuid4())
        code, body = self._answer(request, fault)
        self._record(request, request_id, code)
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        body["RequestId"] = request_id
        payload = json.dumps({"Response": body}).encode()
        if fault.after is not None:
            return await fault.after(http, payload)
        return raw(payload, headers={"Date": formatdate(self.now, usegmt=True)})

    def _answer(self, request: Request, fault: Fault) -> tuple[str, dict[str, Json]]:
        try:
            body = self._run(request, fault)
        except CodeError as error:
            refusal: Json = {"Code": error.code, "Message": error.message}
            return error.code, {"Error": refusal}
        request.ran = True
        return "", body

    def _run(self, request: Request, fault: Fault) -> dict[str, Json]:
        request.api = request.headers.get("x-tc-action", "")
        if request.api in APIS:
            return self._token(request, fault)
        action = self._check(request)
        if fault.code:
            raise CodeError(fault.code, fault.message)
        answer = self.resources.run(action, request.params, self.now)
        if action.effect_spec.resource_type == SCREENSHOT_TASK and action.effect_spec.creates:
            self._take_picture(request.params)
        return answer

    def _take_picture(self, params: Params) -> None:
        """Have a picture taken of a stream that is pushed."""
        key = tuple(str(params.get(name, "")) for name in STREAM_KEY)
        if key in self._live_streams():
            self.callbacks.snapshot(key, self.url)

    def _token(self, request: Request, fault: Fault) -> dict[str, Json]:
        site = site_of(request.headers.get("host", ""), self._site or "mainland")
        answer = self.sts.answer(request, self._known_keys(), site=site, now=self.now)
        if fault.code:
            raise CodeError(fault.code, fault.message)
        return answer

    def _known_keys(self) -> Mapping[str, Key]:
        return ChainMap(self.sts.issued, dict(self._keys))

    def _record(self, request: Request, request_id: str, code: str) -> None:
        self.received.append(
            Received(
                self.now,
                request.api,
                dict(request.params),
                request.headers.get("x-tc-region", ""),
                request.secret_id,
                code,
                request_id,
                request.ran,
                request.canonical_request,
                request.string_to_sign,
                request.signature,
                request.expected,
                request.behind,
            )
        )
        for listener in self.listeners:
            listener()

    def _check(self, request: Request) -> Action:
        """Check a request in the order of the real cloud, and return its action."""
        if request.method not in LARGEST:
            raise CodeError("UnsupportedProtocol", "Only GET and POST are supported.")
        size = len(request.query if request.method == "GET" else request.body)
        if size > LARGEST[request.method]:
            raise CodeError("RequestSizeLimitExceeded", "The request is too large.")
        action, site = self._action(request)
        now = self.now
        authenticate(request, action.product.name, self._known_keys(), site=site, now=now)
        self._check_rate(action)
        _check_region(request, action, site)
        request.params = parse_params(request, action, site=site, now=now)
        return action

    def _action(self, request: Request) -> tuple[Action, Site]:
        """Return the action of a request, and the site that it is for."""
        if is_signed_v1(request):
            raise CodeError(
                "AuthFailure.InvalidAuthorization",
                "Authorization is missing; sign with TC3-HMAC-SHA256.",
            )
        for header in ("x-tc-action", "x-tc-version", "x-tc-timestamp"):
            if not request.headers.get(header):
                raise CodeError("MissingParameter", f"The header {header} is missing.")
        request.api = request.headers["x-tc-action"]
        action = self._actions.get(request.api)
        default = self._site or (action.product.site if action else "mainland")
        site = check_host(request.headers.get("host", ""), action, request.api, default)
        if action is None:
            raise CodeError("InvalidAction", f"The action {request.api} does not exist.")
        if request.headers["x-tc-version"] != action.product.version:
            raise CodeError("NoSuchVersion", "The action has no such version.")
        return action, site

    def _check_rate(self, action: Action) -> None:
        now = self._clock()
        recent = self._recent.setdefault(action.api, deque())
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) >= action.per_second:
            raise CodeError(
                "RequestLimitExceeded",
                f"The request rate exceeds the limit of {action.per_second} per second.",
            )
        recent.append(now)


def _check_region(request: Request, action: Action, site: Site) -> None:
    if action.regions is None:
        return
    region = request.headers.get("x-tc-region", "")
    if not region:
        raise CodeError("MissingParameter", "The header X-TC-Region is missing.")
    if region not in action.regions[site]:
        raise CodeError("UnsupportedRegion", f"{region} is not supported by this action.")
