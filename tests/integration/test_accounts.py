"""Several cloud accounts: which one is meant, who may, whose key signs, and what cards say."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.catalog.registry import action_of
from bot.cli.demo import AUDIT, INCIDENTS
from bot.commands.formatting import format_command
from bot.commands.parser import parse
from bot.errors import ConfigError, NeverSentError, ParseError
from bot.model.actions import Effect
from bot.model.operations import Choice, Search, State
from bot.model.people import Place
from bot.operations.results import Invalid, SearchPage
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.schema import json_schema
from bot.sandbox.slack.workspace import Workspace as Slack
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage.store import Store
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Fixed
from bot.tencent.tc3 import Credentials
from handlers.manifest import bot_scopes
from handlers.messages import audit_line, cards, replies, rights
from handlers.messages import help as help_messages
from tests.conftest import built
from tests.support.accounts import ACCOUNTS, KEYS, POLICY, rules
from tests.support.fakes import ALICE, BOB
from tests.support.processes import Process


def read(text: str, channel: str, given: LoadedPolicy | None = None) -> Any:
    vocabulary = (given or rules()).vocabulary.at(channel)
    return parse(text, verb=Effect.STOP, vocabulary=vocabulary, now=0.0)


@pytest.mark.parametrize(
    ("text", "channel", "account", "domain"),
    [
        ("live s1", "C0INC", "main", "push.example.com"),
        ("live s1", "C0EUROPE", "europe", "eu.example.com"),
        ("live s1 account=europe", "C0INC", "europe", "eu.example.com"),
        ("live s1 --account EUROPE", "C0OTHER", "europe", "eu.example.com"),
        ("eu-stage", "C0INC", "europe", "eu.example.com"),
        ("eu-stage account=main", "C0OTHER", "main", "push.example.com"),
    ],
)
def test_parser_uses_the_named_account_or_the_channels(
    text: str, channel: str, account: str, domain: str
) -> None:
    """A command is for the account it names, or else for its target's or its channel's."""
    found = read(text, channel)

    assert (found.account, found.params["DomainName"]) == (account, domain)
    assert read(format_command(found), "C0OTHER") == found


def test_parser_requires_an_account_if_ambiguous() -> None:
    """A command that may mean several accounts is refused, and typos get a suggestion."""
    with pytest.raises(ParseError, match="add account=main or account=europe"):
        read("live s1", "C0OTHER")
    with pytest.raises(ParseError, match='Did you mean "europe"'):
        read("live s1 account=eurpoe", "C0INC")


def test_parser_uses_the_only_account() -> None:
    """With one account, a command in any channel is for it."""
    one = rules("roles: {}\naccounts: {main: {}}\ndefaults: {live: {DomainName: push.example.com}}")

    assert read("live s1", "C0ANY", one).account == "main"


def test_parser_uses_the_site_and_region_of_the_account() -> None:
    """A command takes the account's region, and one that its site lacks is refused."""
    assert read("ingest t1 sdkappid=1400000000", "C0EUROPE").region == "ap-singapore"
    with pytest.raises(ParseError, match=r"accounts\.europe\.site chooses"):
        read("ingest t1 sdkappid=1400000000 region=ap-beijing", "C0EUROPE")


_KEY = "secret_id: EU_TOKEN, secret_key: EU_SECRET_ID"


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        ("{default: {}}", "is what the account is called where the file names none"),
        ("{Main: {}}", "small letters"),
        ("{a: {}, b: {}}", "a has the bot's own already"),
        ("{a: {secret_id: A_ID}}", r"accounts\.a\.secret_key: is missing"),
        ("{a: {token: A_TOKEN}}", r"accounts\.a\.secret_id: is missing"),
        ("{a: {secret_id: EU_TOKEN, secret_key: EU_TOKEN}}", "the same variable twice"),
        ("{a: {secret_id: SLACK_BOT_TOKEN, secret_key: EU_TOKEN}}", "holds no key for a cloud"),
        ("{a: {secret_id: A_ID, secret_key: EU_TOKEN}}", "the variable A_ID is not set"),
        ("{a: {secret_id: BLANK_ID, secret_key: EU_TOKEN}}", "BLANK_ID has blanks around it"),
        ("{a: {region: ap-nowhere}}", 'no action is offered in "ap-nowhere"'),
        ("{a: {site: moon}}", r"accounts\.a\.site"),
        ("{a: {defaults: {live: {Domain: x}}}}", 'has no parameter "Domain"'),
        ("{a: {key: x}}", "is not a key that is known here"),
        (
            f"{{a: {{channels: [C1]}}, b: {{{_KEY}, channels: [C1]}}}}",
            "is a channel of the account a already",
        ),
    ],
)
def test_policy_reports_each_account_problem_in_one_line(accounts: str, problem: str) -> None:
    """Each mistake in an account's settings is one problem line without a secret."""
    with pytest.raises(ConfigError) as caught:
        rules(f"roles: {{}}\naccounts: {accounts}", {**KEYS, "BLANK_ID": " AKIDBLANK "})

    (line,) = caught.value.problems
    assert re.search(problem, line), line
    assert "AKIDBLANK" not in line


def test_policy_refuses_a_secret_without_repeating_it() -> None:
    """A secret key in the policy file is refused, and the message does not repeat it."""
    key = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    with pytest.raises(ConfigError) as caught:
        rules(f"accounts: {{a: {{secret_id: A_ID, secret_key: {key}}}}}")

    assert "a secret itself never stands in this file" in str(caught.value)
    assert key not in str(caught.value)


def test_policy_rule_must_name_its_accounts_if_several() -> None:
    """With several accounts a rule must name the known ones it applies to."""
    role = "roles: {r: {members: {users: [U1]}, allow: [{actions: ['*']}]}}"
    with pytest.raises(ConfigError, match=r"allow\[0\]\.accounts: is missing; there are main"):
        rules(f"{ACCOUNTS}\n{role}")
    rules(f"accounts: {{main: {{}}}}\n{role}")
    with pytest.raises(ConfigError, match='no account "eu"'):
        rules(f"{ACCOUNTS}\nlimits: [{{actions: ['*'], accounts: [eu], deny: true}}]")


def test_policy_loads_without_access_to_the_keys() -> None:
    """A policy file can be checked where the environment holds no account keys."""
    load = loader(source="policy.yml", sites={}, region="", now=0.0)

    assert load(POLICY).policy.account_names == ("main", "europe")


def test_policy_schema_accepts_variable_names_not_keys() -> None:
    """The JSON schema accepts a variable's name as secret_key and refuses a key."""
    profile = json_schema()["$defs"]["AccountSettings"]
    pattern = profile["properties"]["secret_key"]["pattern"]

    assert re.fullmatch(pattern, "EU_SECRET_KEY")
    assert not re.fullmatch(pattern, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")


async def test_policy_permission_applies_to_its_account_only(quick_store: Store) -> None:
    """A permission on one account is none on another, where its own rules apply."""
    async with built(quick_store, policy=POLICY) as house:
        assert (await house.run("live s1", ALICE)).state is State.ACCEPTED
        assert (await house.run("live s1 account=europe", ALICE)).state is State.WAITING
        denied = await house.run("ban s1 account=europe", ALICE)
        assert denied.state is State.DENIED
        assert "limits[0]" in denied.detail
        refused = await house.run("car u1 account=europe", ALICE)
        assert refused.state is State.DENIED
        assert "stop the push of a session on the account europe here. leads can" in (
            refused.detail
        )

    assert {command.account for command in house.cloud.sent} >= {"main"}


async def test_policy_recheck_denies_a_removed_account(
    quick_store: Store,
) -> None:
    """A confirmed operation is denied unsent if the policy no longer has its account."""
    async with built(quick_store, policy=POLICY) as house:
        waiting = await house.run("live s1 account=europe", ALICE)
        house.policy(
            "roles: {}\naccounts: {main: {}}\n" + POLICY.partition("limits:")[0].partition("acc")[0]
        )
        await house.decide(waiting.id, Choice.CONFIRM, ALICE)
        ended = await house.ended(waiting.id)

    assert ended.state is State.DENIED
    assert 'no account "europe" any more' in ended.detail
    assert [c for c in house.cloud.sent if c.action.effect is Effect.STOP] == []


async def test_whoami_names_the_account_of_each_permission(quick_store: Store) -> None:
    """The whoami and help replies name the account of each permission."""
    async with built(quick_store, policy=POLICY) as house:
        standing = await house.service.queries.permissions(ALICE, Place("C0INC"))
    text = rights.whoami(standing).text

    assert "*At once*: Stop a live stream (on `main`)" in text
    assert "*You confirm*: Stop a live stream (on `europe`)" in text
    assert "*Nobody*: Ban a stream (on `europe`)" in text
    helped = help_messages.help_on("live", rules().vocabulary.actions, standing).text
    assert "You can do this here on `europe` after a confirmation." in helped


async def test_cards_and_audit_lines_name_the_account(quick_store: Store) -> None:
    """Card, audit line and search result name the account, and a search filters by it."""
    async with built(quick_store, policy=POLICY) as house:
        done = await house.run("live s1", BOB)
        await house.decide(done.id, Choice.CONFIRM, BOB)
        done = await house.ended(done.id)
        mistaken = await house.ask("live s1", ALICE, channel="C0OTHER")
        page = await house.service.queries.audit(
            BOB, Place("C0INC"), Search(account="main", user=BOB.user), 10
        )
        none = await house.service.queries.audit(BOB, Place("C0INC"), Search(account="europe"), 10)
    action = action_of(done)
    assert isinstance(page, SearchPage)
    assert isinstance(none, SearchPage)
    assert [one.id for one in page.operations] == [done.id]
    assert none.operations == ()

    assert done.account == "main"
    assert "account `main`" in cards.card(done, action).text
    assert "account `main`" in audit_line.audit_line(done, action).text
    assert "account `main`" in replies.operation_line(done)
    assert isinstance(mistaken, Invalid)


async def test_api_calls_use_the_key_and_site_of_their_account() -> None:
    """A call is signed with its account's key at its site, or not sent without an account."""
    asked: list[httpx.Headers] = []

    def handle(sent: httpx.Request) -> httpx.Response:
        asked.append(sent.headers)
        body = json.dumps({"Response": {"RequestId": "r1"}}).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    now = rules()
    cloud = TencentCloud(
        credentials=Fixed(Credentials("AKIDOWN", "own-key")),
        accounts=lambda: now.credentials,
        transport=httpx.MockTransport(handle),
    )
    main, europe = read("live s1", "C0INC"), read("live s1", "C0EUROPE")
    await cloud.call(main)
    await cloud.call(europe)
    assert "live.intl.tencentcloudapi.com" in cloud.preview(europe).url
    assert "AKID" not in str(cloud.preview(europe))
    now = rules("roles: {}\naccounts: {main: {}}")
    with pytest.raises(NeverSentError, match='no account "europe" any more'):
        await cloud.call(europe)
    await cloud.close()

    first, second = asked
    assert "Credential=AKIDOWN/" in first["authorization"]
    assert "x-tc-token" not in first
    assert first["host"] != second["host"] == "live.intl.tencentcloudapi.com"
    assert "Credential=AKIDEUROPE/" in second["authorization"]
    assert second["x-tc-token"] == "eu-token"


async def test_rate_limits_are_kept_per_account(quick_store: Store) -> None:
    """Each account has its own rate limit, so one does not wait for another."""
    first = await quick_store.rate_limits.reserve("main", "DropLiveStream", 300.0)
    again = await quick_store.rate_limits.reserve("main", "DropLiveStream", 300.0)
    other = await quick_store.rate_limits.reserve("europe", "DropLiveStream", 300.0)

    assert again - first == pytest.approx(300.0, abs=60.0)
    assert other - first < 60.0


async def test_cli_uses_the_account_keys_of_the_environment(tmp_path: Path) -> None:
    """The check and run commands use each account's key from the environment."""
    keys = {"AKIDDEMODEMO": Key("demo"), "AKIDEUROPE": Key("eu-key", "eu-token")}
    slack = Slack(scopes=bot_scopes(), limits=False)
    slack.user("U0BOB", "bob")
    slack.channel(INCIDENTS, "incidents", "U0BOB")
    slack.channel(AUDIT, "audit")
    text = POLICY.replace(", approval: confirm", "").replace("site: intl", "site: mainland")
    text = text.replace("region: ap-singapore", "region: ap-guangzhou")
    (tmp_path / "policy.yml").write_text(text)
    async with CloudEmulator(keys=keys) as cloud, slack:
        cloud.resources.put("stream", "live", "eu.example.com", "s1")
        program = Process(tmp_path, slack, cloud)
        code, _, err = await program.run("check")
        assert code == 1 or "EU_SECRET_ID" in err
        code, out, err = await program.run("check", env=KEYS)
        assert code == 0, out + err
        assert "tencent cloud (main): " in out
        assert "tencent cloud (europe): " in out
        code, out, _ = await program.run("check", env={**KEYS, "EU_SECRET_KEY": "wrong"})
        assert code == 1
        assert "FIX tencent cloud (europe): AuthFailure" in out
        run = ("run", "live s1 account=europe", "--actor", "U0BOB", "--json")
        code, out, err = await program.run(*run, env=KEYS)
        assert cloud.received[-1].secret_id == "AKIDEUROPE", out + err
        assert json.loads(out)["account"] == "europe"
        code, out, _ = await program.run("policy", "check")
        assert code == 0, out


def test_credentials_repr_hides_the_key() -> None:
    """The repr of an account's credentials does not contain its secret key."""
    assert "eu-key" not in repr(rules().credentials["europe"])
