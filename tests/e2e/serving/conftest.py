"""The real bot between the emulated Slack and cloud, in this process or in its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import AUDIT, INCIDENTS, Sandbox
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support.processes import Process
from tests.support.worlds import sandbox


@pytest.fixture(params=["socket", "http"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=request.param == "socket", limits=False) as built:
        yield built


@pytest.fixture
async def http_world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[tuple[Process, Workspace, CloudEmulator]]:
    cloud = CloudEmulator(keys={"AKIDDEMODEMO": Key("demo")})
    cloud.resources.put("session", "user1")
    slack = Workspace(scopes=bot_scopes(), limits=False)
    slack.user("U0BOB", "bob")
    slack.channel(INCIDENTS, "incidents", "U0BOB")
    slack.channel(AUDIT, "audit")
    (tmp_path / "policy.yml").write_text(
        "defaults: {live: {DomainName: push.example.com}}\n"
        "roles:\n"
        "  leads: {members: {users: [U0BOB]}, allow: [{actions: ['*']}]}\n"
        "  grouped: {members: {usergroups: [S0LEADS]}, allow: [{actions: ['*']}]}\n"
    )
    async with cloud, slack:
        yield Process(tmp_path, slack, cloud), slack, cloud
