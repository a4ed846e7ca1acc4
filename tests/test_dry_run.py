"""A dry run shows what would be sent and who would have to agree, and sends nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.catalog.registry import by_api
from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.commands.parser import Help
from bot.model.actions import Approval, Effect
from bot.model.commands import Command, Invocation
from bot.model.people import Actor, Place
from bot.model.verdicts import Denied, DryRunResult, RequestPreview, Verdict
from bot.operations.service import Accepted, DryRun, Invalid
from bot.storage import audit_records as trail
from bot.storage import database
from bot.storage.store import Store
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Fixed
from bot.tencent.tc3 import Credentials
from handlers.messages import replies as receipts
from tests.conftest import POLICY, House, built
from tests.fakes import ALICE


@pytest.mark.parametrize(
    "text",
    [
        "live x --dry-run",
        "--dry-run live x",
        "live x —dry-run",
        "live x dry-run=yes",
        "live --dryrun x",
        "live x --DRY_RUN=yes",
        "live x `--dry-run`",
        "--dry-run live --domain a.example.com x",
        "live --app 'a &amp; b' x --dry-run",
        "live x --dry-run domain=<http://a.example.com|a.example.com>",
    ],
)
async def test_however_it_is_asked_nothing_is_sent(house: House, text: str) -> None:
    reply = await house.ask(text)

    assert isinstance(reply, DryRun)
    assert reply.command.params["StreamName"] == "x"
    assert await house.store.recent() == []
    assert house.cloud.sent == []


@pytest.mark.parametrize(
    "text",
    [
        "live dry-run",
        "live x-dry-run",
        "live my--dry-run",
        "live 'my --dry-run day'",
        "live '--dry-run'",
        "ban x reason=“it’s --dry-run day”",
        "ban x --reason 'no dry-run=yes'",
        "ban x --reason dry-run=yes",
    ],
)
async def test_a_stream_may_be_called_so(house: House, text: str) -> None:
    reply = await house.ask(text)

    assert isinstance(reply, Accepted)
    assert reply.operation.text == text


async def test_a_value_beside_it_stays_as_it_was(house: House) -> None:
    reply = await house.ask("ban x --dry-run reason='a &amp;lt; b'")

    assert isinstance(reply, DryRun)
    assert reply.command.params["Reason"] == "a &lt; b"


@pytest.mark.parametrize("text", ["live x --dry-run=no", "live x dry-run=no"])
async def test_a_dry_run_that_is_not_wanted_is_a_mistake(house: House, text: str) -> None:
    reply = await house.ask(text)

    assert isinstance(reply, Invalid)
    assert 'takes no "dry-run"' in reply.error.sentence


@pytest.mark.parametrize("verb", [Effect.STOP, Effect.START])
@pytest.mark.parametrize("text", ["--dry-run", "—dry-run", "dry-run=yes"])
async def test_no_form_is_opened_for_a_dry_run(house: House, text: str, verb: Effect) -> None:
    reply = await house.ask(text, verb=verb)

    assert isinstance(reply, Invalid)
    assert "A form cannot be a dry run" in reply.error.sentence
    assert f"/{verb.value}stream live stream1 --dry-run." in reply.error.sentence


async def test_help_with_it_explains_it(house: House) -> None:
    assert await house.ask("help --dry-run") == Help("dry-run")
    assert await house.ask("--dry-run", verb=None) == Help("dry-run")


def test_where_nobody_may_approve_that_is_said() -> None:
    told = receipts.rehearsal(rehearsed(Verdict("a.b", Approval.SECOND_PERSON))).text
    later = Verdict("a.b", Approval.SECOND_PERSON, escalates_to=("chiefs",))

    assert "Allowed by `a.b`, but its list of approvers is empty: nobody could approve it." in told
    assert "`chiefs` could, once a reminder" in receipts.rehearsal(rehearsed(later)).text


def test_approvers_whom_nobody_knows_leave_no_empty_brackets() -> None:
    verdict = Verdict("a.b", Approval.SECOND_PERSON, ("leads",), needed=2)
    told = receipts.rehearsal(rehearsed(verdict)).text

    assert "after 2 of `leads` approve it." in told


def test_case_and_runbook_stand_in_it() -> None:
    verdict = Verdict("a.b", Approval.NONE, runbook="https://wiki.example.com/stop")
    told = receipts.rehearsal(rehearsed(verdict)).text

    assert "Case `INC-42`, <https://wiki.example.com/stop|runbook>" in told
    assert "Account" not in told, "there is but one"


def rehearsed(verdict: Verdict) -> DryRunResult:
    command = Command(by_api("DropLiveStream"), {"StreamName": "x"})
    return DryRunResult(
        command, verdict, (), RequestPreview("POST", "https://x/", {}, "{}"), case="INC-42"
    )


async def test_the_case_of_the_channel_is_that_of_the_dry_run(quick_store: Store) -> None:
    async with built(quick_store, policy=POLICY + "cases: {C0INC: INC-7}\n") as house:
        reply = await house.ask("live x --dry-run")
        assert isinstance(reply, DryRun)
        asked = Invocation("key", ALICE, Place("C0INC"), "live x --dry-run")
        found = await house.service.dry_run(asked, reply.command)

    assert found.case == "INC-7"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def dry(world: Sandbox, user: str, text: str, command: str = "/stopstream") -> str:
    said = await world.slack.person(user).slash(command, f"{text} --dry-run", INCIDENTS)
    assert said.startswith("Dry run, nothing is sent."), said
    seen = await world.slack.wait_for(
        lambda: [m for m in world.slack.seen(user) if "nothing was sent" in m.text]
    )
    return str(seen[-1].text)


async def test_the_asker_alone_reads_the_rule_and_the_exact_request(world: Sandbox) -> None:
    told = await dry(world, "U0ALICE", "live stream1")

    assert "Allowed by `roles.oncall.allow[0]`, at once." in told
    assert "x-tc-action: DropLiveStream" in told
    assert '"StreamName":"stream1"' in told
    assert "Credential=[hidden]/" in told
    assert "Signature=[hidden]" in told
    assert "AKIDDEMODEMO" not in told
    assert world.slack.channels[INCIDENTS].roots == []
    assert not world.cloud.received
    engine = database.connect(f"sqlite:///{world.policy.parent / 'stopstream.db'}")
    with engine.connect().execution_options(reads=True) as connection:
        (kept,) = [r for r in trail.read(connection) if r.kind == "dry run"]
    engine.dispose()
    assert "U0ALICE" in kept.body


async def test_who_would_have_to_agree_and_who_could_do_it_is_said(world: Sandbox) -> None:
    assert "after one of `leads` approves it (<@U0BOB>)" in await dry(
        world, "U0ALICE", f"domain {DOMAIN}"
    )
    assert "after you confirm it" in await dry(world, "U0BOB", f"domain {DOMAIN}")
    denied = await dry(world, "U0MALLORY", "live stream1")
    assert "It would be denied:" in denied
    assert "oncall" in denied


@pytest.mark.parametrize(
    "given", [{"is_restricted": True}, {"deleted": True}, {"team_id": "T0ELSEWHERE"}]
)
async def test_outsiders_read_no_request_and_no_default(
    world: Sandbox, given: dict[str, Any]
) -> None:
    world.slack.user("U0EVE", "eve", **given)
    world.slack.channels[INCIDENTS].members.add("U0EVE")

    told = await dry(world, "U0EVE", "live stream1")

    assert "It would be denied:" in told
    assert DOMAIN not in told
    assert "x-tc-action" not in told


async def test_of_whom_slack_says_nothing_reads_no_request(house: House) -> None:
    house.directory.people.clear()
    reply = await house.ask("live x --dry-run")
    assert isinstance(reply, DryRun)
    asked = Invocation("k", Actor("T0HOME", "U0ALICE"), Place("C0INC"), "live x")

    found = await house.service.dry_run(asked, reply.command)

    assert isinstance(found.verdict, Denied)
    assert found.request is None


async def test_no_secret_parameter_stands_in_it(world: Sandbox) -> None:
    told = await dry(world, "U0BOB", "car user1 args='txSecret=5ECRE7'", command="/startstream")
    assert "5ECRE7" not in told
    assert "[hidden]" in told


def test_a_draft_holds_neither_key_nor_signature() -> None:
    cloud = TencentCloud(credentials=Fixed(Credentials("AKIDREAL", "real-key", "real-token")))
    command = Command(
        by_api("StartPublishStream"), {"UserId": "u", "PublishStreamArgs": "k=5ECRE7"}
    )

    draft = cloud.preview(command)

    for secret in ("AKIDREAL", "real-key", "real-token", "5ECRE7"):
        assert secret not in str(draft)
    assert json.loads(draft.payload)["UserId"] == "u"
