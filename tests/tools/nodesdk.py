"""Drives both emulators with Node's clients: `make nodesdk`; npm installs them into a folder.

An app on Node's Bolt meets the emulated workspace over Socket Mode and over signed HTTP, and
Tencent's Node SDK runs every action of the catalog.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bot.catalog.registry import ACTIONS
from bot.model.actions import Json
from bot.sandbox.slack.submissions import REQUIRED
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support.fakes import made_up

SCRIPTS = Path(__file__).parent / "node"
KEY = "secret"


class Results:
    """Prints what was checked, and counts what went wrong."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, name: str, found: object, expected: object) -> None:
        """Compare what was found with what must be."""
        right = found == expected
        self.failed += not right
        print("ok  " if right else "FAIL", name, "" if right else f"{found!r}, not {expected!r}")  # noqa: T201


async def main(home: str) -> int:
    """Run all checks; return how many went wrong."""
    results = Results()
    for port in (None, _free_port()):
        async with Workspace(scopes=bot_scopes()) as slack, _bolt(slack, home, port):
            way = "http" if port else "socket"
            async with asyncio.timeout(60):
                await _use(slack, results, way)
            if not port:
                await _renew(slack, results)
    await _run_actions(home, results)
    return results.failed


@contextlib.asynccontextmanager
async def _bolt(slack: Workspace, home: str, port: int | None) -> AsyncIterator[None]:
    """Run the app; without a port in Socket Mode."""
    slack.user("U0ALICE", "alice")
    slack.channel("C0INC", "incidents", "U0ALICE")
    if port:
        slack.delivery.request_url = f"http://127.0.0.1:{port}/slack/events"
    given = {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
    } | ({"PORT": str(port)} if port else {})
    process = await _node(home, "bolt.mjs", given)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while b"started" not in (line := await process.stdout.readline()):
                if not line:
                    raise RuntimeError("the app on Bolt did not start")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _use(slack: Workspace, results: Results, way: str) -> None:
    """Let a person use everything that the app has."""
    alice, channel = slack.person("U0ALICE"), slack.channels["C0INC"]
    answer = await alice.slash("/stopstream", "live stream1")
    results.check(f"{way}: a command is acked", answer, "heard live stream1")
    card = await slack.wait_for(lambda: next(iter(channel.roots), None))
    results.check(f"{way}: metadata", card.metadata["event_payload"], {"key": "k1"})

    ack = await alice.press("Go", card)
    results.check(f"{way}: a button is acked", ack.error, "")
    view = await alice.modal()
    results.check(f"{way}: views.open", view["title"]["text"], "First")
    await slack.wait_for(lambda: card.text == "pressed")
    results.check(f"{way}: chat.update without blocks removes them", card.blocks, [])
    notes = await slack.wait_for(lambda: slack.ephemerals("U0ALICE")[1:])
    results.check(f"{way}: respond", [note.text for note in notes], ["noted"])

    empty = await alice.submit()
    results.check(f"{way}: a required input", empty.body["errors"], {"reason": REQUIRED})
    alice.fill("reason", "wrong")
    wrong = await alice.submit()
    results.check(
        f"{way}: errors of a form", (wrong.error, wrong.body["errors"]), ("", {"reason": "No."})
    )
    alice.fill("reason", "right")
    ack = await alice.submit()
    results.check(f"{way}: update of a form", ack.error, "")
    results.check(f"{way}: the form after it", (await alice.modal())["title"]["text"], "Second")
    await alice.submit()
    results.check(f"{way}: the form is closed", slack.modals, {})

    for number in range(4):
        slack.say("C0INC", "U0ALICE", str(number))
    before = len(channel.roots)
    mention = await alice.mention("hello")
    reply = await slack.wait_for(lambda: next(iter(channel.thread(mention.ts)), None))
    results.check(f"{way}: history by pages", reply.text, f"{before} before; invalid_cursor")


async def _renew(slack: Workspace, results: Results) -> None:
    """End the app's sockets, as Slack does every few hours, and use the app again."""
    await slack.delivery.refresh()
    alice, answer = slack.person("U0ALICE"), ""
    async with asyncio.timeout(60):
        while answer != "heard again":
            await asyncio.sleep(0.1)
            answer = await alice.slash("/stopstream", "again")
    results.check("socket: a command after a renewed connection", answer, "heard again")


async def _run_actions(home: str, results: Results) -> None:
    async with CloudEmulator(keys={"AKIDNODE": Key(KEY)}, site="mainland") as cloud:
        # What one action ends is there again for the next.
        cloud.listeners.append(lambda: _put_all(cloud))
        _put_all(cloud)
        actions = list(_asked())
        asked = {"port": int(cloud.url.rpartition(":")[2]), "key": KEY, "actions": actions}
        process = await _node(home, "tencent.mjs", {})
        async with asyncio.timeout(300):
            out, _ = await process.communicate(json.dumps(asked).encode())
    answers = json.loads(out)
    results.check("cloud: every action is answered", len(answers), len(actions))
    for name, code in answers.items():
        older = " HmacSHA" in name
        results.check(f"cloud: {name}", code, "AuthFailure.InvalidAuthorization" if older else "")


def _put_all(cloud: CloudEmulator) -> None:
    for action in ACTIONS:
        given = made_up(action)
        key = (given.get(name, "live") for name in action.effect_spec.key)
        cloud.resources.put(action.effect_spec.resource_type.name, *key)


def _asked() -> Iterator[dict[str, Json]]:
    """Yield every action with TC3, and the first also with the older signatures."""
    for number, action in enumerate(action for action in ACTIONS if action.only != "intl"):
        regions = action.regions["mainland"] if action.regions else ("ap-guangzhou",)
        for sign in ("TC3-HMAC-SHA256", *(() if number else ("HmacSHA1", "HmacSHA256"))):
            yield {
                "api": action.api,
                "product": action.product.name,
                "version": action.product.version,
                "region": regions[0],
                "method": "POST",
                "sign": sign,
                "params": made_up(action),
            }


async def _node(home: str, script: str, given: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPTS / script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "NODE_HOME": home, **given},
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    sys.exit(min(asyncio.run(main(str(Path(sys.argv[1]).resolve()))), 1))
