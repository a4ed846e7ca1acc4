"""The Security Token Service of the emulated cloud: it gives temporary keys of roles.

Source: https://www.tencentcloud.com/document/product/1150/49456
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.model.actions import Json, Site
from bot.sandbox.tencent.authentication import Key, authenticate
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.requests import Request

APIS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})

_VERSION = "2018-08-13"
_LONGEST = 43_200
_USUAL = 7_200
_SESSION = re.compile(r"[\w+=,.@-]{2,128}", re.ASCII)
_REQUIRED = {
    "AssumeRole": ("RoleArn", "RoleSessionName"),
    "AssumeRoleWithWebIdentity": (
        "ProviderId",
        "WebIdentityToken",
        "RoleArn",
        "RoleSessionName",
    ),
}


@dataclass(slots=True)
class Role:
    """A role, and who may have its keys.

    Attributes:
        trusts: The SecretIds that may assume it.
        pods: When each token of a pod lapses, epoch seconds, by provider and token.
        life: Seconds that its keys live at most.
    """

    trusts: frozenset[str] = frozenset()
    pods: Mapping[tuple[str, str], float] = field(default_factory=dict, repr=False)
    life: float = _LONGEST


class TokenService:
    """Gives keys of roles, which lapse.

    Attributes:
        roles: By their resource name.
        issued: The keys that were given, by SecretId.
    """

    def __init__(self) -> None:
        self.roles: dict[str, Role] = {}
        self.issued: dict[str, Key] = {}

    def lapse(self, now: float) -> None:
        """End all keys that were given, as if their time had come."""
        for id_, key in self.issued.items():
            self.issued[id_] = Key(key.secret_key, key.token, until=now)

    def answer(
        self, request: Request, keys: Mapping[str, Key], *, site: Site, now: float
    ) -> dict[str, Json]:
        """Return a key of a role.

        Raises:
            CodeError: It is refused.
        """
        if request.headers.get("x-tc-version") != _VERSION:
            raise CodeError("NoSuchVersion", "The action has no such version.")
        for header in ("x-tc-region", "x-tc-timestamp"):
            if not request.headers.get(header):
                raise CodeError("MissingParameter", f"The header {header} is missing.")
        by_token = request.api == "AssumeRoleWithWebIdentity"
        if not by_token:
            authenticate(request, "sts", keys, site=site, now=now)
        elif request.headers.get("authorization") != "SKIP":
            raise CodeError("AuthFailure.InvalidAuthorization", "Authorization must be SKIP.")
        params = _params(request)
        request.params = {name: params[name] for name in ("RoleArn", "RoleSessionName")}
        role = self.roles.get(str(params["RoleArn"]))
        if role is None:
            raise CodeError("ResourceNotFound.RoleNotFound", "The role does not exist.")
        if by_token:
            _check_token(role, params, now)
        elif request.secret_id not in role.trusts:
            raise CodeError("UnauthorizedOperation", "The role does not trust this key.")
        seconds = min(float(str(params.get("DurationSeconds", _USUAL))), role.life)
        return self._issue(now + seconds)

    def _issue(self, until: float) -> dict[str, Json]:
        id_, key, token = f"AKID{secrets.token_hex(16)}", secrets.token_hex(16), secrets.token_hex()
        self.issued[id_] = Key(key, token, until=until)
        given: Json = {"TmpSecretId": id_, "TmpSecretKey": key, "Token": token}
        return {"Credentials": given, "ExpiredTime": int(until)}


def _params(request: Request) -> dict[str, Json]:
    try:
        params = json.loads(request.body)
    except (ValueError, RecursionError):
        raise CodeError("InvalidParameter", "The body is not JSON.") from None
    if not isinstance(params, dict):
        raise CodeError("InvalidParameter", "The body is not a JSON object.")
    for name in _REQUIRED[request.api]:
        if not params.get(name):
            raise CodeError("MissingParameter", f"The parameter {name} is missing.")
    if not _SESSION.fullmatch(str(params["RoleSessionName"])):
        raise CodeError("InvalidParameter.ParamError", "RoleSessionName is malformed.")
    seconds = params.get("DurationSeconds", _USUAL)
    if not isinstance(seconds, int) or seconds <= 0:
        raise CodeError("InvalidParameter.ParamError", "DurationSeconds is malformed.")
    if seconds > _LONGEST:
        raise CodeError("InvalidParameter.OverTimeError", "DurationSeconds is too large.")
    return params


def _check_token(role: Role, params: Mapping[str, Json], now: float) -> None:
    until = role.pods.get((str(params["ProviderId"]), str(params["WebIdentityToken"])))
    if until is None or now >= until:
        raise CodeError(
            "InvalidParameter.WebIdentityTokenError", "The web identity token is not valid."
        )
