"""Help and whoami: what is theirs is marked, why the rest is not is said, no ack waits for it."""

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Effect
from bot.model.people import Actor, Person
from bot.operations.results import Permissions
from bot.policy import explanation, matching, reader
from bot.policy.matching import Context
from bot.storage.store import Store
from handlers.messages import help as help_messages
from handlers.messages import help_topics, rights, ways_in
from handlers.messages.blocks import Message
from handlers.slack.help_pages import HelpPages
from tests.conftest import built
from tests.support.accounts import rules
from tests.support.fakes import TEAM, FakeDirectory
from tests.support.slack_app import mention, opened

POLICY = """
limits:
  - {actions: [ForbidLiveDomain], deny: true}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: [DropLiveStream]
        channels: [C0INC]
        where: {StreamName: "prod-*"}
        approval: confirm
      - {actions: [ResumeLiveStream], channels: [C0ELSE]}
      - {actions: [ForbidLiveDomain]}
  leads:
    members: {users: [U0BOB]}
    allow:
      - {actions: [ForbidLiveStream], approval: confirm, requests: true}
      - {actions: [StopPublishStream]}
"""


def alice() -> Permissions:
    facts = Context(Person("U0ALICE", TEAM), TEAM, frozenset(), "C0INC", in_channel=True)
    read = reader.load(POLICY, actions=ACTIONS)
    may = tuple(explanation.permissions_for(read, facts, ACTIONS))
    return Permissions(facts.person, matching.roles_of(read, facts), may)


def test_whoami_groups_permissions_by_how() -> None:
    """Whoami says in words what is done how, where else, by whom, and what is done by nobody."""
    may = rights.rights_here(alice())

    assert may.pop().startswith("*Nobody*: Hide a stream behind the pad · Take the pad off")
    assert may == [
        "*You confirm*: Stop a live stream (where `StreamName prod-*`)",
        "*Ask `leads`*: Ban a stream",
        "*In <#C0ELSE>*: Unban a stream",
        "*Only `leads`*: Stop the push of a session",
    ]


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ("DropLiveStream", "You can do this here after a confirmation, where `StreamName prod-*`."),
        ("ResumeLiveStream", "You can't do this here; you can in <#C0ELSE>."),
        (
            "ForbidLiveDomain",
            "You can't do this here; the policy forbids it to everyone (`limits[0]`).",
        ),
        ("ForbidLiveStream", "You can't do this here; ask `leads`."),
        ("StopPublishStream", "You can't do this here; `leads` can."),
        ("DismissRoom", "You can't do this here; nobody can."),
    ],
)
def test_help_on_an_action_explains_its_permission(api: str, said: str) -> None:
    """Help on one action says how it is allowed, or why not, where else and by whom."""
    assert help_messages.help_on(api, ACTIONS, alice()).text.endswith(said)


EVERYTHING = 'roles: {all: {members: {users: [U0ALICE]}, allow: [{actions: ["*"]}]}}'
FINE_GRAINED = """
accounts:
  main: {}
  europe: {secret_id: EU_SECRET_ID, secret_key: EU_SECRET_KEY}
limits: [{actions: [RemoveUser], deny: true}]
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: [DropLiveStream, "Describe*"], accounts: [main]}
      - {actions: ["*Pad*", "*Delay*"], accounts: ["*"], approval: confirm}
      - {actions: [ForbidLiveDomain], accounts: ["*"], approval: second-person}
      - {actions: [DismissRoom], accounts: ["*"], channels: [C0A]}
      - {actions: [StopStreamIngest], accounts: ["*"], channels: [C0B, C0C]}
  one: {members: {users: [U0B]}, allow: [{actions: ["Stop*"], accounts: ["*"]}]}
  two: {members: {users: [U0B]}, allow: [{actions: [Start*], accounts: ["*"], requests: true}]}
  three: {members: {users: [U0B]}, allow: [{actions: ["*"], accounts: [main], requests: true}]}
"""


def _of(policy: str, user: str = "U0ALICE") -> Permissions:
    facts = Context(Person(user, TEAM), TEAM, frozenset(), "C0INC", in_channel=True)
    read = reader.load(policy, actions=ACTIONS)
    may = tuple(explanation.permissions_for(read, facts, ACTIONS))
    elsewhere = tuple(
        (
            channel,
            tuple(explanation.permissions_for(read, replace(facts, channel=channel), ACTIONS)),
        )
        for channel in explanation.channels_of(read, facts)
    )
    return Permissions(facts.person, matching.roles_of(read, facts), may, elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("policy", "words"), [(EVERYTHING, 150), (FINE_GRAINED, 350), (POLICY, 150)]
)
@pytest.mark.parametrize("here", [True, False])
def test_help_and_whoami_are_short(policy: str, words: int, *, here: bool) -> None:
    """Help has 12 lines at most and whoami 10, whatever the policy says, and few words."""
    permissions = replace(_of(policy), here=here)
    targets = {f"t{number}": "live x" for number in range(50)}

    helped = help_messages.help_on("", ACTIONS, permissions, targets)
    mistyped = help_messages.help_on("lvie", ACTIONS, permissions, targets)
    unknown = help_messages.help_on("", ACTIONS, None, targets)
    for message in (helped, mistyped, unknown):
        assert len(message.text.splitlines()) <= 12
        assert len(message.text.split()) <= words
        assert message.blocks[-1]["elements"][0]["text"]["text"] == "More"
    for message in (rights.whoami(permissions), rights.whoami_in_direct_message(permissions)):
        assert len(message.text.splitlines()) <= 10, message.text
        assert len(message.text.split()) <= words


def test_all_reads_are_one_thing() -> None:
    """Who can read everything alike is told so in two words."""
    at_once, confirmed = rights.rights_here(_of(EVERYTHING))

    assert confirmed == "*You confirm*: Switch off a domain · Switch on a domain"
    named = at_once.partition(": ")[2].split(" · ")
    reads = sum(action.effect is Effect.READ for action in ACTIONS)
    assert len(named) == 9
    assert named[-2:] == ["Check anything", f"{len(ACTIONS) - reads - 2 - 7} more"]


def test_person_without_a_role_gets_a_sentence_and_a_button() -> None:
    """Who has no role hears in one sentence who can, and gets the button for a request."""
    permissions = _of(POLICY, "U0NOBODY")
    said = "You can't stop or start anything here; `oncall` and `leads` can."

    for message in (help_messages.help_on("", ACTIONS, permissions), rights.whoami(permissions)):
        assert message.text == said
        (button,) = message.blocks[-1]["elements"]
        assert button["text"]["text"] == "Request approval"
        assert button["action_id"] == f"{ways_in.OPEN_FORM}:stop"
    without = _of(POLICY.replace(", requests: true", ""), "U0NOBODY")
    assert len(rights.whoami(without).blocks) == 1
    (more,) = help_messages.help_on("", ACTIONS, without).blocks[-1]["elements"]
    assert more["text"]["text"] == "More"


def test_policy_offers_guest_no_access_request() -> None:
    """A guest, who may not make an access request, is offered none."""
    facts = Context(Person("U0EVE", TEAM, guest=True), TEAM, frozenset(), "C0INC", in_channel=True)
    read = reader.load(POLICY, actions=ACTIONS)

    assert not any(how.request_from for how in explanation.permissions_for(read, facts, ACTIONS))


def test_whoami_reports_bot_absent_from_channel() -> None:
    """In a channel without the bot, whoami says that the bot is not there."""
    standing = Permissions(Person("U0ALICE", TEAM), ("oncall",), (), here=False)

    assert "I am not in this channel" in rights.whoami(standing).text


@dataclass
class Slow(FakeDirectory):
    """Answers only once it is let."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def person(self, actor: Actor) -> Person:
        await self.gate.wait()
        return await super().person(actor)


async def test_help_marks_known_permissions_in_first_reply(quick_store: Store) -> None:
    """Help marks what the user may do in its first reply when the permissions are known."""
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        short = await workspace.command("help")
        every = await workspace.command("help all")
        one = await workspace.command("help live")
        bobs = await workspace.command("help all", user_id="U0BOB")
        other = await workspace.command("help ban")
        await workspace.settle()

    assert short.startswith("*What you can do here*\n*You confirm*: Stop a live stream (")
    assert "Stop a live stream: `/stopstream live stream1 domain=push.example.com`" in short
    assert "/stopstream ban stream1" not in short, "only what they can do is shown"
    assert "`/stopstream live stream1 domain=push.example.com` ✓" in every
    assert every.count("✓") == bobs.count("✓") - 1 == 2
    assert "You can do this here after a confirmation, where `StreamName prod-*`." in one
    assert "You can't do this here; you can in <#C0ELSE>." in one
    assert "You can't do this here; ask `leads`." in other
    assert workspace.slack.calls == []


async def test_rights_are_worked_out_once_for_all_who_have_them(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What help says of the reader is worked out once for each policy, channel and set of roles."""
    count, rights_of = itertools.count(), explanation.permissions_for

    def counted(*given: Any) -> Any:
        next(count)
        return rights_of(*given)

    monkeypatch.setattr(explanation, "permissions_for", counted)
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        alices = [await workspace.command("help") for _ in range(3)]
        assert next(count) == 1
        bobs = await workspace.command("help", user_id="U0BOB")
        elsewhere = await workspace.command("help", channel_id="C0ELSE")
        assert next(count) == 4
        house.policy('roles: {others: {members: {users: [U0BOB]}, allow: [{actions: ["*"]}]}}')
        later = await workspace.command("help")
        await workspace.settle()
        assert next(count) == 6

    assert len(set(alices)) == 1
    assert len({alices[0], bobs, elsewhere, later}) == 4


async def test_help_replies_first_and_permissions_follow(quick_store: Store) -> None:
    """Help does not wait for Slack; the permissions follow in a second reply."""
    slow = Slow()
    async with (
        built(quick_store, policy=POLICY, directory=slow) as house,
        opened(house) as workspace,
    ):
        text = await asyncio.wait_for(workspace.command("help live"), 60.0)
        assert "DropLiveStream" in text
        assert "You can" not in text
        slow.gate.set()
        await workspace.settle()
        (told,) = workspace.slack.replies

    assert "*You confirm*: Stop a live stream" in told["text"]
    assert "Stop the push of a session" not in told["text"]


async def test_help_is_withheld_from_unknown_user(
    quick_store: Store,
) -> None:
    """Help, which shows the policy's defaults, is not for whom Slack does not identify."""
    nobody = FakeDirectory(people={})
    async with (
        built(quick_store, policy=POLICY, directory=nobody) as house,
        opened(house) as workspace,
    ):
        text = await workspace.command("help")
        await workspace.settle()

    assert text.startswith("Slack did not say who you are.")
    assert "live" not in text


def test_help_with_all_actions_marked_is_not_cut() -> None:
    """Help with every action marked is complete up to its last sentence."""
    facts = Context(Person("U0BOB", TEAM), TEAM, frozenset(), "C0INC", in_channel=True)
    read = reader.load(
        'roles: {all: {members: {users: [U0BOB]}, allow: [{actions: ["*"]}]}}', actions=ACTIONS
    )
    standing = Permissions(
        facts.person, ("all",), tuple(explanation.permissions_for(read, facts, ACTIONS))
    )
    message = help_messages.help_on("all", ACTIONS, standing)

    assert message.text.count("✓") == len(ACTIONS) + 1
    assert message.text.endswith("say `@stopstream stop live stream1`.")
    assert by_api("DropLiveStream").words in message.text


TARGETS = {
    "main-stage": "live stream1 domain=push.example.com",
    "booth": "car-url u1 rtmp://a.example.com/live/5ECRE7",
    "<!here>": "ban `x`",
}


def helped(topic: str) -> str:
    return help_messages.help_on(topic, ACTIONS, targets=TARGETS).text


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("dry-run", "shows you alone what would be sent"),
        ("dryrun", "`/stopstream live stream1 --dry-run`"),
        ("audit", "`ending=denied`, `case=INC-42` and `account=europe`"),
        ("WhoAmI", "what you may do here"),
        ("form", "alone opens a form"),
        ("off", "`/stopstream off` lists"),
        ("case", "`/stopstream audit case=INC-42`"),
        ("account", "`account=europe` names one"),
        ("main-stage", "`/startstream main-stage` or `/stopstream status main-stage`."),
        ("<!here>", "in place of these words: `/stopstream &lt;!here&gt;`."),
        ("main-stage", "stands for `live stream1 domain=push.example.com`."),
        ("Main-Stage", "`/stopstream help live` explains the kind"),
        ("targets", "• `main-stage`: `live stream1 domain=push.example.com`"),
    ],
)
def test_help_explains_topics_and_targets(topic: str, says: str) -> None:
    """Topics and targets that are not actions have a short help text of their own."""
    text = helped(topic)

    assert says in text
    assert "There is no help on" not in text
    assert len(text.splitlines()) <= 6


def test_help_lists_targets_escaped_and_without_keys() -> None:
    """Help lists targets escaped, without stream keys, and shortens a long list."""
    every, named = helped(""), helped("targets")

    assert "Targets of the policy: `main-stage`, `booth`, `&lt;!here&gt;`; " in every
    assert "• `booth`: `car-url …`" in named
    for text in (every, named, *map(helped, TARGETS)):
        assert "5ECRE7" not in text
        assert "<!here>" not in text
    assert "names no targets" in help_messages.help_on("targets", ACTIONS).text
    assert (
        "and 180 more;"
        in help_messages.help_on(
            "", ACTIONS, targets={f"t{number}": "live x" for number in range(200)}
        ).text
    )


def test_help_prefers_kind_over_target_of_same_name() -> None:
    """Help on a word that is both a kind and a target explains the kind."""
    assert (
        "DropLiveStream" in help_messages.help_on("live", ACTIONS, targets={"live": "ban x"}).text
    )


def test_help_overview_names_dry_run() -> None:
    """The help overview mentions the dry run."""
    assert "`--dry-run` on any command" in helped("all")


@pytest.mark.parametrize(
    ("ours", "typed"),
    [
        ("`/stopstream live stream1`", "`@stopstream stop live stream1`"),
        ("/startstream live lifts a ban", "@stopstream start live lifts a ban"),
        ("`/stopstream status online`", "`@stopstream status online`"),
        ("`/stopstream help KIND`", "`@stopstream help KIND`"),
        ("`/stopstream UpdateStreamIngest t`", "`@stopstream UpdateStreamIngest t`"),
        ("`/stopstream` alone opens a form", "`/stopstream` alone opens a form"),
    ],
)
def test_help_in_thread_rewrites_commands_as_mentions(ours: str, typed: str) -> None:
    """Slash commands in a text become mentions for a thread, except the one for the form."""
    assert help_topics.as_mentions(ours) == typed


async def test_mention_replies_show_commands_as_mentions(quick_store: Store) -> None:
    """Help and errors in reply to a mention show commands as mentions."""
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        for text in ("help all", "help live", "unban /startstream"):
            await workspace.event(mention(text))
        await workspace.settle()
    told = workspace.slack.asked("chat.postEphemeral")
    wrong, one, every = sorted(told, key=lambda call: len(str(call)))

    assert "`@stopstream stop live stream1 domain=push.example.com` ✓" in every["text"]
    assert "/stopstream live" not in str(every)
    assert "@stopstream start live stream1" in str(one["blocks"])
    assert "; @stopstream start live lifts a ban." in wrong["text"]
    assert "\nunban /startstream\n" in wrong["text"]


async def test_help_for_bare_status_lists_reads(quick_store: Store) -> None:
    """The command status without a kind lists the reads and no stop."""
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        text = await workspace.command("status")
        await workspace.settle()

    assert "`/stopstream status online`" in text
    assert "`/stopstream live" not in text
    assert "no help on" not in text


def test_help_is_rendered_once_for_the_same_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the same rights under the same policy shares the page; others do not."""
    rendered: list[str] = []
    help_on = help_messages.help_on

    def counted(topic: str, *more: Any, **named: Any) -> Message:
        rendered.append(topic)
        return help_on(topic, *more, **named)

    monkeypatch.setattr(help_messages, "help_on", counted)
    pages, vocabulary, own = HelpPages(), rules().vocabulary, alice()
    twin = replace(own, person=replace(own.person, user="U0TWIN"))
    guest = replace(own, person=replace(own.person, guest=True))
    assert pages.page("", vocabulary, own) is pages.page("", vocabulary, twin)
    assert len(rendered) == 1
    assert "Guests may not" in pages.page("", vocabulary, guest).text
    assert "You confirm" not in pages.page("", vocabulary, replace(own, may=())).text
    pages.page("ban", vocabulary, own)
    pages.page("", rules().vocabulary, own)
    assert len(rendered) == 5


def test_help_page_is_the_same_however_old_the_groups_are() -> None:
    """When user groups were read changes at every moment, and help says nothing of it."""
    pages, vocabulary, own = HelpPages(), rules().vocabulary, alice()
    found = [
        pages.page("", vocabulary, replace(own, groups_age=age)) for age in (None, 0.1, 0.2, 60.0)
    ]

    assert all(one is found[0] for one in found)
