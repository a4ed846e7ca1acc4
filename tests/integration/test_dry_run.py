"""A dry run shows what would be sent and who would have to agree, and sends nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.catalog.registry import by_api
from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.commands.parsed import Help
from bot.model.actions import Approval, Effect
from bot.model.commands import Command, Invocation
from bot.model.people import Actor, Place
from bot.model.verdicts import Denied, DryRunResult, RequestPreview, Verdict
from bot.operations.results import Accepted, DryRun, Invalid
from bot.storage import audit_records, database
from bot.storage.store import Store
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Fixed
from bot.tencent.tc3 import Credentials
from handlers.messages import dry_run as dry_run_messages
from tests.conftest import POLICY, House, built
from tests.support.fakes import ALICE
from tests.support.worlds import sandbox


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
async def test_dry_run_sends_nothing_in_any_spelling(house: House, text: str) -> None:
    """A dry run stores and sends nothing, however the option is written."""
    reply = await house.ask(text)

    assert isinstance(reply, DryRun)
    assert reply.command.params["StreamName"] == "x"
    assert await house.store.operations.recent() == []
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
async def test_dry_run_in_value_is_no_option(house: House, text: str) -> None:
    """A value that contains the text dry-run does not make the command a dry run."""
    reply = await house.ask(text)

    assert isinstance(reply, Accepted)
    assert reply.operation.text == text


async def test_dry_run_keeps_other_values(house: House) -> None:
    """A quoted value beside the dry-run option is kept as it was."""
    reply = await house.ask("ban x --dry-run reason='a &amp;lt; b'")

    assert isinstance(reply, DryRun)
    assert reply.command.params["Reason"] == "a &lt; b"


@pytest.mark.parametrize("text", ["live x --dry-run=no", "live x dry-run=no"])
async def test_dry_run_refuses_value_no(house: House, text: str) -> None:
    """The option dry-run=no is a parse error."""
    reply = await house.ask(text)

    assert isinstance(reply, Invalid)
    assert 'takes no "dry-run"' in reply.error.sentence


@pytest.mark.parametrize("verb", [Effect.STOP, Effect.START])
@pytest.mark.parametrize("text", ["--dry-run", "—dry-run", "dry-run=yes"])
async def test_dry_run_opens_no_form(house: House, text: str, verb: Effect) -> None:
    """A dry run without a command is a parse error that suggests a full command."""
    reply = await house.ask(text, verb=verb)

    assert isinstance(reply, Invalid)
    assert "A form cannot be a dry run" in reply.error.sentence
    assert f"/{verb.value}stream live stream1 --dry-run." in reply.error.sentence


async def test_dry_run_help_explains_option(house: House) -> None:
    """The dry-run option with help, or without a verb, shows the help on dry runs."""
    assert await house.ask("help --dry-run") == Help("dry-run")
    assert await house.ask("--dry-run", verb=None) == Help("dry-run")


def test_dry_run_reports_missing_approvers() -> None:
    """A dry run says that nobody could approve, or which roles could after a reminder."""
    told = dry_run_messages.dry_run_reply(rehearsed(Verdict("a.b", Approval.SECOND_PERSON))).text
    later = Verdict("a.b", Approval.SECOND_PERSON, escalates_to=("chiefs",))

    assert "Allowed by `a.b`, but its list of approvers is empty: nobody could approve it." in told
    assert (
        "`chiefs` could, once a reminder" in dry_run_messages.dry_run_reply(rehearsed(later)).text
    )


def test_dry_run_names_role_without_known_members() -> None:
    """Approvers without known members are named by their role alone."""
    verdict = Verdict("a.b", Approval.SECOND_PERSON, ("leads",), needed=2)
    told = dry_run_messages.dry_run_reply(rehearsed(verdict)).text

    assert "after 2 of `leads` approve it." in told


def test_dry_run_shows_case_and_runbook() -> None:
    """A dry run shows the case and the runbook, and no account if there is only one."""
    verdict = Verdict("a.b", Approval.NONE, runbook="https://wiki.example.com/stop")
    told = dry_run_messages.dry_run_reply(rehearsed(verdict)).text

    assert "Case `INC-42`, <https://wiki.example.com/stop|runbook>" in told
    assert "Account" not in told, "there is but one"


def rehearsed(verdict: Verdict) -> DryRunResult:
    command = Command(by_api("DropLiveStream"), {"StreamName": "x"})
    return DryRunResult(
        command, verdict, (), RequestPreview("POST", "https://x/", {}, "{}"), case="INC-42"
    )


async def test_dry_run_uses_case_of_channel(quick_store: Store) -> None:
    """A dry run has the case that the policy assigns to its channel."""
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
    assert said.startswith("Dry run: nothing is sent."), said
    seen = await world.slack.wait_for(
        lambda: [m for m in world.slack.ephemerals(user) if "Checking the policy" not in m.text]
    )
    return str(seen[-1].text)


async def test_dry_run_shows_rule_and_request_to_its_user(world: Sandbox) -> None:
    """Only its user sees the rule and the request, and the dry run is in the audit log."""
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
        (kept,) = [r for r in audit_records.read(connection) if r.kind == "dry run"]
    engine.dispose()
    assert "U0ALICE" in kept.body


async def test_dry_run_names_approvers_and_permitted_roles(world: Sandbox) -> None:
    """A dry run names who would have to approve, or which role may act."""
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
async def test_dry_run_hides_request_from_outsiders(world: Sandbox, given: dict[str, Any]) -> None:
    """Guests, deactivated and foreign users see neither the request nor the defaults."""
    world.slack.user("U0EVE", "eve", **given)
    world.slack.channels[INCIDENTS].members.add("U0EVE")

    told = await dry(world, "U0EVE", "live stream1")

    assert "this bot" in told or "deactivated" in told
    assert DOMAIN not in told
    assert "x-tc-action" not in told


async def test_dry_run_hides_request_from_unknown_user(house: House) -> None:
    """A user whom Slack does not identify is denied and sees no request."""
    house.directory.people.clear()
    reply = await house.ask("live x --dry-run")
    assert isinstance(reply, DryRun)
    asked = Invocation("k", Actor("T0HOME", "U0ALICE"), Place("C0INC"), "live x")

    found = await house.service.dry_run(asked, reply.command)

    assert isinstance(found.verdict, Denied)
    assert found.request is None


async def test_dry_run_hides_secret_parameters(world: Sandbox) -> None:
    """A secret parameter is hidden in a dry run."""
    told = await dry(world, "U0BOB", "car user1 args='txSecret=5ECRE7'", command="/startstream")
    assert "5ECRE7" not in told
    assert "[hidden]" in told


def test_request_preview_contains_no_credentials() -> None:
    """A request preview contains no credentials and no secret parameters."""
    cloud = TencentCloud(credentials=Fixed(Credentials("AKIDREAL", "real-key", "real-token")))
    command = Command(
        by_api("StartPublishStream"), {"UserId": "u", "PublishStreamArgs": "k=5ECRE7"}
    )

    draft = cloud.preview(command)

    for secret in ("AKIDREAL", "real-key", "real-token", "5ECRE7"):
        assert secret not in str(draft)
    assert json.loads(draft.payload)["UserId"] == "u"
