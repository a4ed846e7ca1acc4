"""The bot's own form of an alert, for whatever can send JSON; docs/alerts.md describes it; pure."""

from collections.abc import Mapping
from typing import Any

from bot.hooks.bounded_json import MalformedError
from bot.hooks.exchange import Forbidden, HookRequest
from bot.hooks.fields import (
    KEY_MOST,
    SEVERITY_MOST,
    SUMMARY_MOST,
    TEXT_MOST,
    TITLE_MOST,
    lines_of,
    link_at,
    object_at,
    text_at,
    time_at,
)
from bot.hooks.secrets import check_timed_hmac, check_token
from bot.model.alerts import NamedStream, Notice, NoticeItem

NAME = "generic"
SIGNATURE, TIMESTAMP = "x-stopstream-signature", "x-stopstream-timestamp"

_STATES = {"firing": True, "resolved": False}
_TEXTS = ("text", "severity", "url")
_STREAMS_MOST = 50
_STREAM_MOST = 200
_PARAMS = {"stream": "StreamName", "domain": "DomainName", "app": "AppName"}


def check(request: HookRequest, secrets: tuple[str, ...]) -> Forbidden | None:
    """Check the signature where there is one, else the bearer token."""
    signature = request.header(SIGNATURE)
    if signature:
        return check_timed_hmac(request, request.header(TIMESTAMP), signature, secrets)
    return check_token(request, secrets)


def sent_at(request: HookRequest) -> float:
    """Return when a request that is checked was signed, or came where it has no signature.

    A signed time is the same whenever the request is repeated.
    """
    signed = request.header(TIMESTAMP) if request.header(SIGNATURE) else ""
    return float(signed) if signed.isdecimal() else request.at


def parse(body: Mapping[str, Any], at: float) -> Notice:
    """Return what an alert says.

    Args:
        at: See `sent_at`, for an alert that does not say when it changed.

    Raises:
        MalformedError: It is of another form.
    """
    id_, title = text_at(body, "id", most=KEY_MOST), text_at(body, "title", most=TITLE_MOST)
    status = body.get("status", "firing")
    if not id_ or not title:
        raise MalformedError("it has no id or no title")
    if not isinstance(status, str) or status not in _STATES:
        raise MalformedError("its status is neither firing nor resolved")
    _check_kinds(body)
    summary, changed_at = text_at(body, "text"), time_at(body, "at")
    lines = [title, *lines_of(object_at(body, "labels")), summary]
    item = NoticeItem(
        id_,
        changed_at or at,
        _STATES[status],
        is_timed=changed_at is not None,
        title=title,
        text="\n".join(lines)[:TEXT_MOST],
        streams=_streams(body.get("streams")),
    )
    return Notice(
        NAME,
        id_,
        (item,),
        title=title,
        summary=summary[:SUMMARY_MOST],
        severity=text_at(body, "severity", most=SEVERITY_MOST),
        link=link_at(body, "url"),
    )


def _check_kinds(body: Mapping[str, Any]) -> None:
    """Refuse what is not of the kind that its field has; null counts as left out.

    Raises:
        MalformedError: Says which.
    """
    for name in _TEXTS:
        if not isinstance(body.get(name), str | None):
            raise MalformedError(f"its {name} is no text")
    if not isinstance(body.get("labels"), Mapping | None):
        raise MalformedError("its labels are no object")
    if body.get("at") not in (None, "") and time_at(body, "at") is None:
        raise MalformedError("its at is neither RFC 3339 nor epoch seconds")


def _streams(given: object) -> tuple[NamedStream, ...]:
    """Return the streams that an alert lists, by name or as objects.

    Raises:
        MalformedError: One has no name, or it is no list.
    """
    if given is None:
        return ()
    if not isinstance(given, list):
        raise MalformedError("its streams are no list")
    return tuple(map(_stream, given[:_STREAMS_MOST]))


def _stream(one: object) -> NamedStream:
    named = {"stream": one} if isinstance(one, str) else one
    cut = {api: text_at(named, name, most=_STREAM_MOST + 1) for name, api in _PARAMS.items()}
    params = {api: value for api, value in cut.items() if value}
    if "StreamName" not in params or any(len(value) > _STREAM_MOST for value in params.values()):
        raise MalformedError("a stream has no name, or one of more than 200 characters")
    return NamedStream("DropLiveStream", params)
