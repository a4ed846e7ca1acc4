"""An emulated Tencent Cloud on loopback: it refuses what the real one refuses, with its codes.

It answers from the catalog alone, so a new action needs no second declaration.
"""

import asyncio
import hmac
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web

from bot.catalog.registry import ACTIONS
from bot.model.actions import Action, Json, Param, Site
from bot.sandbox.tencent.faults import Fault, FaultQueue, raw
from bot.sandbox.tencent.resources import CodeError, Resources, parse_time
from bot.tencent import tc3

SKEW = 300.0
"""Seconds that a timestamp may be off."""

LARGEST = {"GET": 32 * 1024, "POST": 10 * 1024 * 1024}

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "uint64": (int,),
    "float": (int, float),
    "bool": (bool,),
    "array<string>": (list,),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the emulated cloud knows.

    Attributes:
        token: Of a temporary key, which must come along.
        site: The one site that knows it; None: both.
    """

    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it was understood.

    Attributes:
        at: Epoch seconds, by this cloud's clock.
        code: The error it was answered with; empty for none.
        ran: Whether it took effect, whatever its sender heard.
        canonical_request, string_to_sign: As computed here, to compare with the sender's.
        signature, expected: As it came, and as computed here.
        behind: Seconds by which the sender's clock is behind this cloud's.
    """

    at: float
    api: str
    params: Mapping[str, Json]
    region: str
    secret_id: str
    code: str
    request_id: str
    ran: bool
    canonical_request: str = ""
    string_to_sign: str = ""
    signature: str = ""
    expected: str = ""
    behind: float = 0.0


@dataclass(slots=True)
class _Request:
    """A request on its way through the checks."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    api: str = ""
    params: dict[str, Json] = field(default_factory=dict[str, Json])
    secret_id: str = ""
    canonical_request: str = ""
    string_to_sign: str = ""
    signature: str = ""
    expected: str = ""
    behind: float = 0.0
    ran: bool = False


class CloudEmulator:
    """The emulated cloud.

    Args:
        keys: By SecretId.
        site: Which site it plays; None takes each product's own.
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
        self._recent: dict[str, deque[float]] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""
        """Its address, once it is started."""

    async def start(self, port: int = 0) -> str:
        """Listen on loopback; give the address."""
        app = web.Application(client_max_size=LARGEST["POST"] + 1)
        app.router.add_route("*", "/", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    async def close(self) -> None:
        """Stop listening."""
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

    def ran(self, api: str = "") -> list[Received]:
        """Give the requests that took effect."""
        return [one for one in self.received if one.ran and api in ("", one.api)]

    # --- one request ---------------------------------------------------------------

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        request = _Request(
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
        self._note(request, request_id, code)
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        body["RequestId"] = request_id
        payload = json.dumps({"Response": body}).encode()
        if fault.after is not None:
            return await fault.after(http, payload)
        return raw(payload, headers={"Date": formatdate(self.now, usegmt=True)})

    def _answer(self, request: _Request, fault: Fault) -> tuple[str, dict[str, Json]]:
        try:
            body = self._run(request, fault)
        except CodeError as error:
            refusal: Json = {"Code": error.code, "Message": error.message}
            return error.code, {"Error": refusal}
        request.ran = True
        return "", body

    def _run(self, request: _Request, fault: Fault) -> dict[str, Json]:
        action = self._checked(request)
        if fault.code:
            raise CodeError(fault.code, fault.message)
        return self.resources.run(action, request.params, self.now)

    def _note(self, request: _Request, request_id: str, code: str) -> None:
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

    def _checked(self, request: _Request) -> Action:
        """See that everything is as the real one wants it, in its order."""
        if request.method not in LARGEST:
            raise CodeError("UnsupportedProtocol", "Only GET and POST are supported.")
        size = len(request.query if request.method == "GET" else request.body)
        if size > LARGEST[request.method]:
            raise CodeError("RequestSizeLimitExceeded", "The request is too large.")
        action = self._action(request)
        self._authenticate(request, action)
        self._limit(action)
        self._region(request, action)
        request.params = self._params(request, action)
        return action

    def _action(self, request: _Request) -> Action:
        for header in ("x-tc-action", "x-tc-version", "x-tc-timestamp"):
            if not request.headers.get(header):
                raise CodeError("MissingParameter", f"The header {header} is missing.")
        request.api = request.headers["x-tc-action"]
        action = self._actions.get(request.api)
        if action is None or action.only not in (None, self._site or action.product.site):
            raise CodeError("InvalidAction", f"The action {request.api} does not exist.")
        if request.headers["x-tc-version"] != action.product.version:
            raise CodeError("NoSuchVersion", "The action has no such version.")
        return action

    # --- the signature -------------------------------------------------------------

    def _authenticate(self, request: _Request, action: Action) -> None:
        try:
            given = tc3.parse_authorization(request.headers.get("authorization", ""))
        except ValueError:
            raise CodeError(
                "AuthFailure.InvalidAuthorization", "Authorization is missing or malformed."
            ) from None
        request.secret_id, request.signature = given.secret_id, given.signature
        timestamp = self._timestamp(request, given)
        key = self._key(request, given, action)
        if not {"content-type", "host"} <= set(given.signed_headers):
            raise CodeError(
                "AuthFailure.InvalidAuthorization", "content-type and host must be signed."
            )
        payload = request.body
        if request.headers.get("x-tc-content-sha256") == "UNSIGNED-PAYLOAD":
            payload = b"UNSIGNED-PAYLOAD"
        try:
            request.canonical_request = tc3.canonical_request(
                request.method, request.query, request.headers, given.signed_headers, payload
            )
        except KeyError as error:
            raise CodeError(
                "AuthFailure.SignatureFailure", f"The signed header {error} did not come."
            ) from None
        request.string_to_sign = tc3.string_to_sign(
            timestamp, given.service, request.canonical_request
        )
        signing = tc3.signing_key(key.secret_key, given.date, given.service)
        request.expected = tc3.signature(signing, request.string_to_sign)
        if given.service != action.product.name or not hmac.compare_digest(
            request.expected, given.signature
        ):
            raise CodeError(
                "AuthFailure.SignatureFailure",
                "The provided credentials could not be validated; check the signature.",
            )

    def _timestamp(self, request: _Request, given: tc3.Authorization) -> int:
        text = request.headers["x-tc-timestamp"]
        if not re.fullmatch(r"[0-9]{1,12}", text):
            raise CodeError("InvalidParameter", "X-TC-Timestamp is not a number.")
        timestamp = int(text)
        request.behind = self.now - timestamp
        if abs(request.behind) > SKEW:
            raise CodeError("AuthFailure.SignatureExpire", "The request has expired.")
        if tc3.utc_day(timestamp) != given.date:
            raise CodeError(
                "AuthFailure.SignatureFailure", "The credential's date is not the timestamp's."
            )
        return timestamp

    def _key(self, request: _Request, given: tc3.Authorization, action: Action) -> Key:
        key = self._keys.get(given.secret_id)
        if key is None or key.site not in (None, self._site or action.product.site):
            raise CodeError("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        if request.headers.get("x-tc-token", "") != key.token:
            raise CodeError("AuthFailure.TokenFailure", "The token is wrong or has expired.")
        return key

    # --- limits, region, parameters --------------------------------------------------

    def _limit(self, action: Action) -> None:
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

    def _region(self, request: _Request, action: Action) -> None:
        if action.regions is None:
            return
        region = request.headers.get("x-tc-region", "")
        if not region:
            raise CodeError("MissingParameter", "The header X-TC-Region is missing.")
        if region not in action.regions[self._site or action.product.site]:
            raise CodeError("UnsupportedRegion", f"{region} is not supported by this action.")

    def _params(self, request: _Request, action: Action) -> dict[str, Json]:
        given = self._body(request)
        site = self._site or action.product.site
        known = {param.api: param for param in action.params if param.only in (None, site)}
        for name, value in given.items():
            if name not in known:
                raise CodeError("UnknownParameter", f"The parameter {name} is not recognized.")
            typed = given[name] = _typed(known[name], value, form=request.method == "GET")
            if not _fits(known[name], typed, self.now):
                raise CodeError(_blaming(action, name), f"The parameter {name} is out of range.")
        for param in action.params:
            if param.required and given.get(param.api) in (None, ""):
                raise CodeError("MissingParameter", f"The parameter {param.api} is missing.")
        return given

    def _body(self, request: _Request) -> dict[str, Json]:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        if request.method == "GET":
            if content_type != _FORM:
                raise CodeError("InvalidRequest", "GET needs the form content type.")
            return _unflattened(parse_qsl(request.query, keep_blank_values=True))
        if content_type != _JSON:
            raise CodeError("InvalidRequest", "POST needs the JSON content type.")
        try:
            body = json.loads(request.body or b"{}")
        except (ValueError, RecursionError):
            raise CodeError("InvalidParameter", "The body is not JSON.") from None
        if not isinstance(body, dict):
            raise CodeError("InvalidParameter", "The body is not a JSON object.")
        return body


def _typed(param: Param, value: Json, *, form: bool) -> Json:
    if form and isinstance(value, str) and param.type.json not in ("string", "array<string>"):
        try:
            value = json.loads(value.lower())
        except ValueError:
            value = None
    wrong_bool = isinstance(value, bool) and param.type.json != "bool"
    negative = param.type.json == "uint64" and isinstance(value, int) and value < 0
    items = value if isinstance(value, list) else ()
    wrong_item = any(not isinstance(item, str) for item in items)
    right = isinstance(value, _TYPES[param.type.json])
    if not right or wrong_bool or negative or wrong_item:
        raise CodeError(
            "InvalidParameter", f"The parameter {param.api} must be of type {param.type.json}."
        )
    return value


def _fits(param: Param, value: Json, now: float) -> bool:
    kind = param.type
    if kind.max_days_ahead is not None:
        return (
            now - kind.max_days_back * 86_400
            < parse_time(value)
            <= now + kind.max_days_ahead * 86_400
        )
    size = len(value) if isinstance(value, list) else value
    if kind.bounds is None or not isinstance(size, int | float):
        return True
    return kind.bounds[0] <= size <= kind.bounds[1]


def _blaming(action: Action, name: str) -> str:
    """Give the code for a value out of range: the closest of those that the action's page lists."""
    general = "InvalidParameterValue"
    codes = (f"InvalidParameter.{name}", f"{general}.{name}", general, "InvalidParameter")
    return next((code for code in codes if code in action.errors), general)


def _unflattened(pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """Read `A.0=x&A.1=y` as a list, as the GET form has it."""
    found: dict[str, Json] = {}
    for name, value in pairs:
        base, dot, index = name.partition(".")
        if dot and index.isdecimal():
            items: Any = found.setdefault(base, [])
            items.append(value)
        else:
            found[name] = value
    return found
