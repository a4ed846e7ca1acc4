"""Hostile texts by every way in; everything that is shown, written or printed is looked at."""

import contextlib
import csv
import io
import itertools
import json
import time
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from aiohttp import web

from bot.cli.demo import DOMAIN, HOOK_SECRET, INCIDENTS
from bot.sandbox.slack.events import Ack
from bot.sandbox.tencent.faults import Fault, raw
from tests.support.notices import firing, group, signed_generic
from tests.trials.attack.hostile_texts import MARKUP, UNSEEN, hostile_texts
from tests.trials.attack.target import (
    Attack,
    Target,
    as_json,
    in_turn,
    of_message,
    shown_in,
)

_OUTSIDERS = ("U0GUEST", "U0FRANK")
_OF_THE_POLICY = (DOMAIN, "main-stage", "oncall", "1400000000")
_TERMINAL = ("\n", "\t")
_FORMULA = "=+-@"


async def texts(target: Target, count: int, seed: int) -> Attack:
    """Send each text as a command, and every fifth by each other way; read what is shown."""
    found = Attack("hostile texts")
    before = len(target.world.cloud.received)
    ways: list[Callable[[Target, str, str], Coroutine[Any, Any, Ack]]] = [
        *(_mention, _form, _shortcut, _alert, _answer)
    ]
    users = itertools.cycle(("U0ALICE", "U0MALLORY", *_OUTSIDERS))
    tries = [
        (way, text, user)
        for number, (text, user) in enumerate(zip(hostile_texts(count, seed), users, strict=False))
        for way in (_command, ways[number % len(ways)])
    ]

    async def one(way: Any, text: str, user: str) -> None:
        ack = await way(target, text, user)
        found.note(f"{way.__name__} {text} -> {ack.error}", through=bool(ack.error))
        _look(found, ack.body, user)

    await in_turn(tries, one)
    await target.quiet(5.0)
    for message in target.messages():
        _look(found, of_message(message), message.to)
    slack = target.world.slack
    for user, view in [*slack.modals.items(), *slack.homes.items()]:
        _look(found, view, user)
    streams = [one.params for one in list(target.world.cloud.received)[before:]]
    found.note(f"to the cloud: {as_json(streams)}", through="\ud800" in as_json(streams))
    await _look_at_terminal(target, found)
    _look_at_log(target, found)
    return found


async def _command(target: Target, text: str, user: str) -> Ack:
    # A form has no half characters.
    return await target.type(text.encode("utf-8", "replace").decode(), user)


async def _mention(target: Target, text: str, user: str) -> Ack:
    payload = target.mention(f"stop {text}", user)
    return await target.world.slack.delivery.deliver("event", payload)


async def _form(target: Target, text: str, user: str) -> Ack:
    form = target.form({"StreamName": text, "DomainName": text[:50]}, user)
    return await target.world.slack.delivery.deliver("interaction", form)


async def _shortcut(target: Target, text: str, user: str) -> Ack:
    """Use the shortcut on a message of somebody's, with the text in all its places."""
    message = {
        "ts": "1.000100",
        "text": text,
        "attachments": [{"text": text, "title": text, "fallback": text}],
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    }
    payload = target.interaction(
        "message_action",
        user,
        callback_id="stop_in_message",
        channel={"id": INCIDENTS},
        message=message,
        message_ts="1.000100",
    )
    return await target.world.slack.delivery.deliver("interaction", payload)


async def _alert(target: Target, text: str, _user: str) -> Ack:
    """Have a monitoring system that knows the secret say it, in all places of a notice."""
    if len(text) % 2:
        said = {"id": text[:200], "title": text, "text": text, "severity": text, "url": text}
        body, headers = signed_generic(
            {**said, "streams": [text[:150]], "labels": {text[:50]: text}}, HOOK_SECRET, time.time()
        )
        return await _post(target, "generic", body, headers)
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    alert = firing(f"hostile{number}", stream=text, summary=text)
    alert["annotations"] = {"summary": text, text[:50]: text}
    body = json.dumps(group(alert, key=text[:200])).encode()
    headers = {"Authorization": f"Bearer {HOOK_SECRET}", "Content-Type": "application/json"}
    return await _post(target, "alertmanager", body, headers)


async def _post(target: Target, source: str, body: bytes, headers: dict[str, str]) -> Ack:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{target.url}/hooks/{source}", data=body, headers=headers) as answer,
    ):
        said = await answer.text()
        # What is malformed may be refused, in a sentence that does not repeat it.
        return Ack({"text": said}, "" if answer.status < 500 else f"status {answer.status}")


async def _answer(target: Target, text: str, _user: str) -> Ack:
    """Have the cloud refuse a stop with the text as its code, its message and its RequestId."""
    error = {"Code": text[:100] if len(text) % 3 else "FailedOperation", "Message": text}
    payload = json.dumps({"Response": {"Error": error, "RequestId": text}}).encode()

    async def said(_request: web.Request, _payload: bytes) -> web.StreamResponse:
        return raw(payload)

    target.world.cloud.faults.add(Fault(after=said), api="DropLiveStream")
    return await target.type(f"live answered{time.monotonic_ns()}", "U0ALICE")


def _look(found: Attack, content: Any, user: str) -> None:
    """Count what is shown as it was typed, and what outsiders learn of the policy."""
    for text, is_markup in shown_in(content):
        for sign in (*UNSEEN, *(MARKUP if is_markup else ())):
            if sign in text:
                at = text.index(sign)
                found.through.append(f"shown: {text[max(0, at - 80) : at + 80]}")
    if user in _OUTSIDERS:
        told = as_json(content)
        found.through += [f"{user} is told {one}" for one in _OF_THE_POLICY if one in told]


async def _look_at_terminal(target: Target, found: Attack) -> None:
    """Print the trail in every form: it holds, and nothing in it moves a cursor or is a formula."""
    prints = (("audit", "verify"), ("audit", "tail", "-n", "5000"), ("pending",), ("off",))
    for arguments in prints:
        code, said = await target.terminal(*arguments)
        found.note(f"{arguments}: {code} {said[-300:]}", through=code != 0)
        moved = sorted({one for one in said if one < " " and one not in _TERMINAL} - {"\r"})
        moved += [one for one in UNSEEN if one in said]
        found.note(f"{arguments} prints {moved}", through=bool(moved))
    code, said = await target.terminal("audit", "export", "--format", "csv")
    found.note(f"the export fails: {said[-300:]}", through=code != 0)
    cells = [cell for row in csv.reader(io.StringIO(said)) for cell in row]
    with contextlib.suppress(StopIteration):
        formula = next(one for one in cells if one.strip()[:1] in _FORMULA and not _number(one))
        found.through.append(f"a formula: {formula}")
    found.note(f"{len(cells)} cells", through=any(one in said for one in UNSEEN))


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def _look_at_log(target: Target, found: Attack) -> None:
    """Look for tracebacks, secrets and what a terminal obeys in what the bot logs."""
    log = target.log.read_text(errors="replace")
    slack = target.world.slack
    secrets = (slack.bot_token, slack.app_token, slack.signing_secret, HOOK_SECRET)
    unwanted = ("Traceback", *secrets, *(one for one in UNSEEN if one != "\x1b"))
    # A terminal's log is in colours of its own, which begin no link.
    for one in (*unwanted, "\x1b]"):
        at = log.find(one)
        found.note(f"the log: {log[max(0, at - 200) : at + 200]}", through=at >= 0)
