"""What one person sees on the page, in parts that are sent when they change."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from bot.catalog.error_codes import known
from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Json
from bot.redact import redact
from bot.sandbox.page.faults import FAULTS, FaultControls
from bot.sandbox.page.policy_editor import PolicyEditor
from bot.sandbox.page.process import BotProcess
from bot.sandbox.page.signature_steps import steps
from bot.sandbox.slack.entities import Channel, Message, User
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.requests import Received
from bot.sandbox.tencent.server import CloudEmulator
from handlers import manifest

Part = tuple[object, Callable[[], Any]]
"""A version to compare with an earlier one, and a function that renders the part."""

_REQUESTS = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is on the page."""

    slack: Workspace
    cloud: CloudEmulator
    bot: BotProcess
    policy: PolicyEditor
    faults: FaultControls

    def parts(self, user: str) -> dict[str, Part]:
        """Return every part for one person, by its key."""
        found: dict[str, Part] = {"setup": ("", self._setup)}
        for key, value in self._small(user):
            found[key] = (value, partial(_same, value))
        for channel in self._channels(user):
            for message in channel.messages:
                if message.to in ("", user):
                    key = f"message/{channel.id}/{message.ts}"
                    found[key] = (message.edits, partial(_message, channel, message))
        for one in itertools.islice(reversed(self.cloud.received), _REQUESTS):
            found[f"request/{one.request_id}"] = ("", partial(self._request, one))
        for number, line in self.bot.lines:
            found[f"log/{number}"] = ("", partial(_same, line))
        return found

    def _setup(self) -> dict[str, Any]:
        """Render what never changes."""
        features = manifest.read()["features"]
        slack = self.slack
        return {
            "team": slack.team,
            "domain": slack.domain,
            "bot_user": slack.bot_user,
            "commands": features.get("slash_commands", []),
            "shortcuts": features.get("shortcuts", []),
            "faults": {name: words for name, (words, _) in FAULTS.items()},
            "codes": list(known()),
        }

    def _small(self, user: str) -> Iterator[tuple[str, Any]]:
        """Yield the parts that are compared by value."""
        yield "people", [self._person(one) for one in self.slack.users.values()]
        yield "channels", [_channel(one) for one in self._channels(user)]
        yield "modal", self.slack.modals.get(user)
        yield "home", self.slack.homes.get(user)
        yield "bot", self._bot()
        yield "weather", self.faults.state()
        yield "policy", self.policy.text
        yield "gauges", self._gauges()
        states = self.cloud.resources.states(self.cloud.now)
        for (kind, key), resource in self.cloud.resources.all().items():
            back = None if resource.returns_at is None else resource.returns_at - self.cloud.skew
            yield (
                f"thing/{kind}/{'/'.join(key)}",
                {
                    "kind": kind,
                    "key": list(key),
                    "state": states[kind, key],
                    "returns_after": resource.returns_after,
                    "returns_at": back,
                    "banned_until": self.cloud.resources.banned_until(key[0]) - self.cloud.skew,
                    "runs": dict(resource.runs),
                },
            )

    def _person(self, one: User) -> dict[str, Any]:
        if one.is_bot:
            what = ["app"]
        elif one.is_stranger or one.team_id != self.slack.team:
            what = ["of another workspace"]
        elif one.is_restricted or one.is_ultra_restricted:
            what = ["guest"]
        else:
            what = self.policy.roles(one.id) or ["no role"]
        return {"id": one.id, "name": one.name, "bot": one.is_bot, "what": what}

    def _channels(self, user: str) -> list[Channel]:
        return [one for one in self.slack.channels.values() if user in one.members]

    def _bot(self) -> dict[str, Any]:
        state = "down"
        if self.bot.runs:
            state = "up" if self.slack.delivery.sockets else "starting"
        return {"state": state, "pid": self.bot.pid, "starts": self.bot.starts}

    def _gauges(self) -> list[dict[str, Any]]:
        """Return the requests of each API in the last second, and its limit."""
        since = self.cloud.now - 1.0
        recent: dict[str, int] = {}
        for one in reversed(self.cloud.received):
            if one.at <= since:
                break
            recent[one.api] = recent.get(one.api, 0) + 1
        return [
            {"api": action.api, "count": recent.get(action.api, 0), "limit": action.per_second}
            for action in ACTIONS
        ]

    def _request(self, one: Received) -> dict[str, Any]:
        try:
            host = by_api(one.api).product.name
        except KeyError:
            host = ""
        return {
            "at": one.at - self.cloud.skew,
            "api": one.api,
            "product": host,
            "params": _without_secrets(one),
            "region": one.region,
            "code": one.code,
            "ran": one.ran,
            "request_id": one.request_id,
            "steps": steps(one),
        }


@dataclass(slots=True)
class Window:
    """An open window: its user, and the version of each part that it was sent."""

    user: str
    sent: dict[str, object] = field(default_factory=dict)

    def switch_user(self, user: str) -> None:
        """Change the user; everything is sent again."""
        self.user = user
        self.sent = {}

    def changes(self, snapshot: Snapshot) -> Mapping[str, Any] | None:
        """Return what has changed since the last call, or None."""
        first = not self.sent
        parts = snapshot.parts(self.user)
        changed = {
            key: write()
            for key, (mark, write) in parts.items()
            if key not in self.sent or self.sent[key] != mark
        }
        gone = [key for key in self.sent if key not in parts]
        self.sent = {key: mark for key, (mark, _) in parts.items()}
        if not changed and not gone:
            return None
        return {"as": self.user, "first": first, "set": changed, "gone": gone}


def _same(value: Any) -> Any:
    return value


def _channel(one: Channel) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "private": one.is_private,
        "archived": one.is_archived,
        "members": sorted(one.members),
    }


def _message(channel: Channel, message: Message) -> dict[str, Any]:
    found = asdict(message)
    del found["metadata"]
    return found | {"channel": channel.id}


def _without_secrets(one: Received) -> dict[str, Json]:
    """Return the parameters with secrets hidden, as on the bot's cards."""
    try:
        action = by_api(one.api)
    except KeyError:
        return {}
    kept: dict[str, Json] = {}
    for name, value in one.params.items():
        param = action.param(name)
        secret = param is None or param.secret
        kept[name] = "[hidden]" if secret else redact(value) if isinstance(value, str) else value
    return kept
