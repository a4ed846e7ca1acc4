"""A domain that is neither the account's nor named in the policy is refused before sending."""

from typing import Any

import pytest

from bot.catalog.registry import action_of
from bot.model.actions import Effect
from bot.model.commands import Invocation, Via
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted
from bot.policy.domains import named_domains
from bot.storage.store import Store
from handlers.messages import endings
from tests.conftest import POLICY, House, built
from tests.support.dry_runs import dry_run
from tests.support.fakes import ALICE, MALLORY, FakeCloud

API = "DescribeLiveDomains"

NAMING = """
targets:
  hall: live s1 domain=hall.example.com
limits:
  - {actions: [ResumeLiveStream], where: {DomainName: "*.partner.example"}, deny: true}
"""


def listing(*push: str, play: tuple[str, ...] = (), total: int | None = None) -> dict[str, Any]:
    rows: list[Any] = [{"Name": name, "Type": 0, "Status": 1} for name in push]
    rows += [{"Name": name, "Type": 1, "Status": 1} for name in play]
    return {"AllCount": len(rows) if total is None else total, "DomainList": rows}


def cloud_with(**domains: Any) -> FakeCloud:
    return FakeCloud(bodies={API: listing("push.example.com", "hd.example.org", **domains)})


def told(operation: Operation) -> str:
    return endings.private_reply(operation, action_of(operation)).text


def sent(house: House) -> list[str]:
    return [command.action.api for command in house.cloud.sent]


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("hd.exmaple.org", "Did you mean `hd.example.org`?"),
        ("HD-example.org", "Did you mean `hd.example.org`?"),
        ("hd.example.com", "It has `hd.example.org`, `push.example.com`."),
        ("nowhere.test", "It has `hd.example.org`, `push.example.com`."),
    ],
)
@pytest.mark.parametrize("words", ["live s1", "ban s1"])
async def test_unknown_domain_is_refused(
    quick_store: Store, words: str, domain: str, meant: str
) -> None:
    """Nothing is sent, and the asker is told which domain may be meant."""
    async with built(quick_store, cloud=cloud_with()) as house:
        operation = await house.run(f"{words} domain={domain}")

    assert operation.state is State.DENIED
    assert sent(house) == []
    assert "is no push domain of this account." in told(operation)
    assert meant in told(operation)
    assert "Nothing was sent." in told(operation)


@pytest.mark.parametrize(
    "domain",
    [
        "hd.example.org",
        "HD.Example.org",
        "push.example.com",
        "hall.example.com",
        "a.partner.example",
        "5000.livepush.myqcloud.com",
    ],
)
async def test_known_domain_is_accepted(quick_store: Store, domain: str) -> None:
    """The account's domains, those that the policy names and Tencent's own pass."""
    async with built(quick_store, cloud=cloud_with(), policy=POLICY + NAMING) as house:
        operation = await house.run(f"live s1 domain={domain}")

    assert operation.state is State.ACCEPTED


def buttons(operation: Operation) -> list[str]:
    blocks = endings.private_reply(operation, action_of(operation)).blocks
    rows = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
    assert all(one["value"] == operation.id for one in rows), "a button is a reference"
    return [one["text"]["text"] for one in rows]


async def press(house: House, id_: str, actor: Actor = ALICE, index: int = 0) -> Operation | None:
    asked = Invocation(f"press-{index}", actor, Place("C0INC"), "", Via.BUTTON, None)
    reply = await house.service.follow(id_, FollowUp.OTHER_DOMAIN, asked, index=index)
    return await house.engine.ending(reply.operation.id) if isinstance(reply, Accepted) else None


@pytest.mark.parametrize(
    ("text", "domain", "labels"),
    [
        ("live s1", "hd.exmaple.org", ["Stop on hd.example.org"]),
        ("ban s1 for=30m", "hd.exmaple.org", ["Ban on hd.example.org"]),
        ("start live s1", "hd.exmaple.org", ["Start on hd.example.org"]),
        ("status live s1", "hd.exmaple.org", ["Check on hd.example.org"]),
        ("domain", "hd.exmaple.org", ["Ban hd.example.org"]),
        ("live s1", "nowhere.test", ["Stop on hd.example.org", "Stop on push.example.com"]),
    ],
)
async def test_domain_that_may_be_meant_is_a_button(
    quick_store: Store, text: str, domain: str, labels: list[str]
) -> None:
    """Each domain that is named to the asker has a button, which asks again with it."""
    async with built(quick_store, cloud=cloud_with()) as house:
        denied = await house.run(
            f"{text} domain={domain}", verb=None if text.startswith("sta") else Effect.STOP
        )
        assert buttons(denied) == labels
        again = await press(house, denied.id, index=len(labels) - 1)

    assert again is not None
    assert again.state is (State.WAITING if text == "domain" else State.ACCEPTED)
    # The end of a ban counts from when it is sent.
    wanted = {**denied.params, "DomainName": labels[-1].rpartition(" ")[2]}
    assert {**again.params, "ResumeTime": None} == {**wanted, "ResumeTime": None}
    assert (again.api, again.origin.spans) == (denied.api, denied.origin.spans)


async def test_button_of_a_domain_is_judged_by_the_policy(quick_store: Store) -> None:
    """The press is an ask of whoever presses, under the policy as it is then."""
    async with built(quick_store, cloud=cloud_with()) as house:
        denied = await house.run("live s1 domain=hd.exmaple.org")
        house.policy(POLICY.replace("U0ALICE", "U0CAROL"))
        again = await press(house, denied.id)

    assert again is not None
    assert again.state is State.DENIED
    assert sent(house) == []


@pytest.mark.parametrize("index", [1, 5, 99])
async def test_button_of_a_domain_that_was_not_offered_does_nothing(
    quick_store: Store, index: int
) -> None:
    """A value that was made up names no domain."""
    async with built(quick_store, cloud=cloud_with()) as house:
        denied = await house.run("live s1 domain=hd.exmaple.org")
        assert await press(house, denied.id, index=index) is None


async def test_refusal_of_the_policy_offers_no_domain(quick_store: Store) -> None:
    """Whoever may not stop it is not shown the account's domains."""
    async with built(quick_store, cloud=cloud_with()) as house:
        denied = await house.run("live s1 domain=hd.exmaple.org", MALLORY)

    assert denied.state is State.DENIED
    assert buttons(denied) == []
    assert house.cloud.read_domains == []


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("hd.exmaple.org", "It would be denied: `hd.exmaple.org` is no push domain"),
        ("hd.example.org", "When it is sent, the domain will be checked again."),
    ],
)
async def test_dry_run_checks_the_domain(quick_store: Store, domain: str, says: str) -> None:
    """A dry run says what the check of the domain would do, and that it is made again."""
    async with built(quick_store, cloud=cloud_with()) as house:
        assert says in await dry_run(house, f"live s1 domain={domain} --dry-run")
        assert sent(house) == []


async def test_domain_of_the_policy_costs_no_read(quick_store: Store) -> None:
    """A stop on the policy's own domain waits for nothing."""
    async with built(quick_store, cloud=cloud_with()) as house:
        await house.run("live s1")

    assert house.cloud.read_domains == []


async def test_play_domain_is_no_push_domain(quick_store: Store) -> None:
    """A stream is not stopped by a play domain; the domain itself can be switched off."""
    async with built(quick_store, cloud=cloud_with(play=("play.example.org",))) as house:
        stream = await house.run("live s1 domain=play.example.org")
        domain = await house.run("domain play.example.org")

    assert stream.state is State.DENIED
    assert domain.state is State.WAITING


async def test_known_domains_are_read_once(quick_store: Store) -> None:
    """What was listed is known for a while; what was not is looked up before it is refused."""
    async with built(quick_store, cloud=cloud_with()) as house:
        await house.run("live s1 domain=hd.example.org")
        await house.run("live s2 domain=hd.example.org")
        assert len(house.cloud.read_domains) == 1
        house.cloud.bodies[API] = listing("hd.example.org", "new.example.org")
        new = await house.run("live s1 domain=new.example.org")

    assert new.state is State.ACCEPTED
    assert len(house.cloud.read_domains) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"DomainList": None, "AllCount": 0},
        {"DomainList": [], "AllCount": 0},
        # There are more than are read.
        listing("push.example.com", total=100_000),
        listing(play=("play.example.org",)),
    ],
)
async def test_domain_passes_where_the_list_tells_nothing(
    quick_store: Store, body: dict[str, Any]
) -> None:
    """A list that is missing, empty, cut or without push domains refuses nobody."""
    async with built(quick_store, cloud=FakeCloud(bodies={API: body})) as house:
        operation = await house.run("live s1 domain=other.example.org")

    assert operation.state is State.ACCEPTED


@pytest.mark.parametrize(
    ("total", "pages", "state"), [(150, 2, State.DENIED), (500, 5, State.DENIED), (501, 5, None)]
)
async def test_domains_are_read_page_by_page(
    quick_store: Store, total: int, pages: int, state: State | None
) -> None:
    """Every page counts before a domain is refused; of more than five pages, none is refused."""
    page = listing(*(f"push{number}.example.net" for number in range(100)), total=total)
    async with built(quick_store, cloud=FakeCloud(bodies={API: page})) as house:
        operation = await house.run("live s1 domain=hd.example.org")

    assert operation.state is (state or State.ACCEPTED)
    asked = [command.params["PageNum"] for command in house.cloud.read_domains]
    assert asked == list(range(1, pages + 1))


async def test_domain_passes_without_an_answer_in_time(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop does not wait for a list that does not come."""
    monkeypatch.setattr("bot.operations.account_domains.WITHIN", 0.05)
    async with built(quick_store, cloud=FakeCloud(silent_on_domains=True)) as house:
        operation = await house.run("live s1 domain=other.example.org")

    assert operation.state is State.ACCEPTED


async def test_policy_names_domains_in_defaults_targets_and_conditions(
    quick_store: Store,
) -> None:
    """Every place in the file in which a domain can stand counts."""
    async with built(quick_store, policy=POLICY + NAMING) as house:
        found = set(named_domains(house.rules[0].policy, "default"))

    assert found == {"push.example.com", "hall.example.com", "*.partner.example"}
