"""Secrets are planted wherever one can be, and looked for in everything that comes out."""

import asyncio
import base64
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli.demo import AUDIT, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault, Html
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support import live_callbacks, notices
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.waiting import until

CALLBACK_KEYS = "PLANTEDcallback00,PLANTEDcallback01"
ALERT_SECRET = "PLANTEDalertmanager0"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"PLANTEDwebhook0123456789").decode()
AUDIT_KEY = base64.b64encode(b"PLANTEDauditkey0123456789abcdef!").decode()
SECRETS: Mapping[str, str] = {
    "SLACK_SIGNING_SECRET": "PLANTEDsigning0",
    "STOPSTREAM_AUDIT_SINK_TOKEN": "PLANTEDsink0",
    "STOPSTREAM_AUDIT_KEY": AUDIT_KEY,
    "STOPSTREAM_LIVE_CALLBACK_KEY": CALLBACK_KEYS,
    "STOPSTREAM_ALERTMANAGER_SECRET": ALERT_SECRET,
    "STOPSTREAM_PAGERDUTY_SECRET": "PLANTEDpagerduty0",
    "STOPSTREAM_GENERIC_SECRET": "PLANTEDgeneric00",
    "STOPSTREAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "EU_CALLBACK_KEY": "PLANTEDcallback02",
    "EU_SECRET_ID": "AKIDPLANTEDeu0",
    "EU_SECRET_KEY": "PLANTEDeukey0",
}
OWN_ID, OWN_KEY = "AKIDPLANTEDown0", "PLANTEDownkey0"
KEY = "PLANTEDstream0"
POLICY = """
defaults: {live: {DomainName: push.example.com, AppName: live}}
accounts:
  main: {channels: [C0INC]}
  europe:
    channels: [C0EUROPE]
    secret_id: EU_SECRET_ID
    secret_key: EU_SECRET_KEY
    callback_key: EU_CALLBACK_KEY
roles:
  leads: {members: {users: [U0BOB]}, allow: [{actions: ['*'], accounts: ['*']}]}
"""
URL = f"rtmp://push.example.com/live/stream1?txSecret={KEY}&txTime=5E0B7F00"


@dataclass
class Planted:
    """A bot in a process of its own, at the level debug, with planted secrets."""

    folder: Path
    slack: Workspace
    cloud: CloudEmulator
    program: Process
    environment: Mapping[str, str]
    outputs: dict[str, str]

    async def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command of the terminal, keep what it prints, and return it."""
        given = {**self.environment, **(env or {})}
        code, out, err = await self.program.run(*arguments, env=given)
        self.outputs[" ".join(arguments)] = f"{code}\n{out}{err}"
        return out + err

    def everything(self) -> Iterator[tuple[str, str]]:
        """Yield all that has come out, by where it came out."""
        yield from self.outputs.items()
        for channel in self.slack.channels.values():
            for message in channel.messages:
                if message.bot_id:
                    shown = [message.text, message.blocks, message.metadata]
                    yield f"message in {channel.id}", json.dumps(shown)
        for user in ("U0BOB", "U0MALLORY"):
            for message in self.slack.ephemerals(user):
                yield f"message to {user}", json.dumps([message.text, message.blocks])
        for file in self.folder.iterdir():
            if file.name not in ("policy.yml", "broken.yml", "credentials"):
                yield file.name, file.read_bytes().decode("latin-1")

    def leaks(self) -> list[str]:
        """Return where a secret has come out, with what is around it."""
        secrets = [*SECRETS.values(), OWN_ID, OWN_KEY, KEY, "PLANTED"]
        secrets += [self.slack.bot_token, self.slack.app_token, self.slack.signing_secret]
        return [
            f"{place}: …{text[max(0, at - 120) : at + 60]}…"
            for place, text in self.everything()
            for secret in secrets
            if (at := text.find(secret)) >= 0
        ]


@pytest.fixture(params=["socket", "http"])
async def planted(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Planted]:
    cloud = CloudEmulator(keys={OWN_ID: Key(OWN_KEY), "AKIDPLANTEDeu0": Key("PLANTEDeukey0")})
    slack = Workspace(scopes=bot_scopes(), limits=False)
    for user, name in (("U0BOB", "bob"), ("U0MALLORY", "mallory")):
        slack.user(user, name)
    slack.channel(INCIDENTS, "incidents", "U0BOB", "U0MALLORY")
    slack.channel("C0EUROPE", "europe", "U0BOB")
    slack.channel(AUDIT, "audit")
    (tmp_path / "policy.yml").write_text(POLICY)
    (tmp_path / "credentials").write_text(
        f"[default]\nsecret_id = {OWN_ID}\nsecret_key = {OWN_KEY}\n"
    )
    environment = {
        **SECRETS,
        "TENCENTCLOUD_SECRET_ID": "",
        "TENCENTCLOUD_SECRET_KEY": "",
        "TENCENTCLOUD_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "STOPSTREAM_AUDIT_KEY_FILE": "",
        "STOPSTREAM_AUDIT_SINK": str(tmp_path / "sink.jsonl"),
        "STOPSTREAM_ALERT_CHANNEL": INCIDENTS,
        # Nobody is there: each try fails, and says so in the log.
        "STOPSTREAM_WEBHOOK_URL": f"http://127.0.0.1:{free_port()}/{KEY}",
        "STOPSTREAM_LOG_LEVEL": "debug",
        "STOPSTREAM_LOG_FORMAT": "json",
        "STOPSTREAM_LISTEN": "127.0.0.1:0",
    }
    if request.param == "http":
        environment |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
    async with cloud, slack:
        yield Planted(tmp_path, slack, cloud, Process(tmp_path, slack, cloud), environment, {})


async def _ask(planted: Planted) -> None:
    """Ask for all that can hold a key, from a command, a mention, a form and a stranger."""
    bob, mallory = planted.slack.person("U0BOB"), planted.slack.person("U0MALLORY")
    for text in (
        f"live {URL}",
        f"live '{URL}' case=INC-1",
        f"lvie {URL} token={KEY}",
        f"live stream1 reason='the key is txSecret={KEY}'",
        "live s2 account=europe",
    ):
        await bob.slash("/stopstream", text, INCIDENTS)
    await bob.slash(
        "/startstream",
        f"ingest 1234 pullurl={URL} user=u sig={KEY} sdkappid=1400000000 type=1 "
        "region=ap-singapore account=main",
        INCIDENTS,
    )
    await mallory.slash("/stopstream", f"live {URL}", INCIDENTS)
    await bob.mention(f"stop live {URL}", INCIDENTS)
    await bob.slash("/stopstream", f"live {URL} dry=true", INCIDENTS)
    await bob.slash("/stopstream", "", INCIDENTS)
    view = await bob.modal()
    for block in view["blocks"]:
        if block.get("type") == "input" and block["element"]["type"] == "plain_text_input":
            bob.fill(block["block_id"], URL)
    await bob.submit()


def _refusals() -> Iterator[Fault]:
    said = f"key {OWN_ID} {OWN_KEY} of {URL} token={KEY}"
    yield Fault(code="FailedOperation", message=said)
    yield Fault(code=f"FailedOperation.{KEY[:7].lower()}", message="")
    yield Html


async def _provoke(planted: Planted) -> None:
    """Have Slack and the cloud repeat what they were sent, and send what nobody expects."""
    slack, cloud, bob = planted.slack, planted.cloud, planted.slack.person("U0BOB")
    for fault in _refusals():
        cloud.faults.add(fault, api="DropLiveStream")
        await bob.slash("/stopstream", f"live {URL}", INCIDENTS)
    for method in ("chat.postMessage", "chat.update", "chat.postEphemeral", "views.open"):
        slack.faults.refuse(method, f"invalid_auth token={KEY} {slack.bot_token}")
    await bob.slash("/stopstream", f"live {URL}", INCIDENTS)
    broken: list[tuple[str, dict[str, Any]]] = [
        ("command", {"command": "/stopstream", "text": {"key": KEY}, "token": KEY}),
        ("event", {"event": {"type": "app_mention", "text": [URL], "user": {"token": KEY}}}),
        ("interaction", {"type": "view_submission", "view": {"state": {"values": {URL: KEY}}}}),
    ]
    for kind, payload in broken:
        await _deliver(slack, kind, payload)


async def _notify(address: str) -> None:
    """Send notices that are signed well and badly, and that hold keys."""
    bearer = {"Authorization": f"Bearer {ALERT_SECRET}"}
    alert = notices.firing("stream1", stream="stream1", url=URL, token=KEY)
    push = live_callbacks.said(stream_id="stream1", stream_param=f"txSecret={KEY}", errmsg=URL)
    key = CALLBACK_KEYS.partition(",")[0]
    async with aiohttp.ClientSession() as http:
        for path, body, headers, status in (
            ("alertmanager", json.dumps(notices.group(alert)), bearer, 200),
            ("alertmanager", json.dumps({"groupKey": URL, "token": KEY}), bearer, 400),
            ("alertmanager", "{}", {"Authorization": f"Bearer {KEY}"}, 403),
            ("pagerduty", json.dumps(notices.incident(title=URL)), {}, 401),
            ("generic", json.dumps({"title": URL, "token": KEY}), {}, 401),
            ("live", live_callbacks.signed(push, key, expires=time.time() + 600), {}, 200),
            ("live", json.dumps({**push, "t": 1, "sign": KEY}), {}, 403),
        ):
            typed = {"Content-Type": "application/json", **headers}
            async with http.post(f"{address}/hooks/{path}", data=body, headers=typed) as answer:
                assert answer.status == status, (path, await answer.text())


def _unfinished(database: Path) -> int:
    """Count the operations that have not ended."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM operations WHERE state IN ('asked', 'due', 'running')"
        return int(connection.execute(query).fetchone()[0])


async def _deliver(slack: Workspace, kind: str, payload: dict[str, Any]) -> None:
    await slack.delivery.deliver(kind, payload)


async def _serve(planted: Planted) -> None:
    """Have the bot run, ask it for everything, and keep what it writes and shows."""
    serving = await planted.program.start("serve", env=planted.environment)
    said: list[str] = []

    async def read(stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            said.append(line.decode())

    async def until_it_said(event: str) -> dict[str, Any]:
        found: dict[str, Any] = await until(
            lambda: (
                next((json.loads(line) for line in said if f'"event": "{event}"' in line), None)
                or serving.returncode
            )
        )
        assert serving.returncode is None, said
        return found

    reading = [asyncio.create_task(read(one)) for one in (serving.stdout, serving.stderr)]
    try:
        await until_it_said("started")
        address = (await until_it_said("listening"))["url"]
        if planted.environment.get("SLACK_SIGNING_SECRET") == planted.slack.signing_secret:
            planted.slack.delivery.request_url = f"{address}/slack/events"
        else:
            await until(lambda: planted.slack.delivery.sockets)
        await _ask(planted)
        # Otherwise what is asked here would meet the faults that follow.
        await until(lambda: not _unfinished(planted.folder / "stopstream.db"))
        await _provoke(planted)
        await _notify(address)
        await until(lambda: not _unfinished(planted.folder / "stopstream.db"))
        async with aiohttp.ClientSession() as http:
            for path in ("metrics", "readyz", f"nothing?token={KEY}"):
                async with http.get(f"{address}/{path}") as answer:
                    planted.outputs[path[:7]] = await answer.text()
    finally:
        if serving.returncode is None:
            serving.terminate()
        await serving.wait()
        await asyncio.gather(*reading)
    planted.outputs["serve"] = "".join(said)


async def test_planted_secrets_come_out_nowhere(planted: Planted) -> None:
    """No log at debug, traceback, metric, message, record, copy or printed line has a secret."""
    await _serve(planted)
    for command in (
        ("audit", "export"),
        ("audit", "show"),
        ("audit", "verify"),
        ("pending",),
        ("off",),
        ("check",),
        ("callbacks", "show"),
        ("run", f"live {URL}", "--actor", "U0BOB", "--channel", INCIDENTS),
        ("policy", "explain", f"live {URL}", "--user", "U0BOB"),
    ):
        await planted.run(*command)

    assert planted.leaks() == []
    endings = [json.loads(line) for line in planted.outputs["serve"].splitlines()]
    found = {one["ending"] for one in endings if one["event"] == "ended"}
    assert {"accepted", "denied", "failed", "invalid"} <= found
