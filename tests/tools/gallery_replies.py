"""What is said to one person, or to everyone without an operation."""

from collections.abc import Iterator
from dataclasses import replace

from bot.catalog.registry import ACTIONS, action_of, by_api
from bot.commands.parsed import Audit, OffAir, WhoAmI
from bot.commands.parser import parse
from bot.errors import ParseError
from bot.model.actions import Approval, Effect
from bot.model.commands import Command, Reason
from bot.model.off_air import OffAirEntry
from bot.model.operations import Approvals, Choice, Decision, LaterKind, Operation, Search, State
from bot.model.people import Actor, Person, Place
from bot.operations.recorder import NOT_SAVED
from bot.operations.results import (
    Accepted,
    DryRun,
    NotRecorded,
    OffAirList,
    Permissions,
    Reply,
    SearchPage,
)
from bot.policy.explanation import Permission
from handlers.messages import (
    endings,
    home_view,
    off_air,
    reason_view,
    replies,
    rights,
    search_results,
    views,
)
from handlers.messages import (
    help as help_messages,
)
from handlers.messages.blocks import Message
from handlers.messages.reason_choice import ButtonPress, reason_choice
from tests.tools.gallery_operations import (
    ALICE,
    AT,
    BAN,
    BOB,
    LINK,
    STOP,
    VOCABULARY,
    WAITS_TO_APPROVE,
    WAITS_TO_CONFIRM,
    Entry,
    later,
    operation,
)

_ALONE = "To the asker alone"


def entries() -> Iterator[Entry]:
    """Yield every message that is no operation's card, thread or audit line."""
    yield from _receipts()
    yield from _refusals()
    yield from _mistakes()
    yield from _lists()
    yield from _who()
    yield from _forms()
    yield from _home()


def _receipts() -> Iterator[Entry]:
    flow = "Receipts"
    asked = replace(STOP, state=State.ASKED, request_id="")
    shown: dict[str, Reply] = {
        "asked twice": Accepted(asked, again=True),
        "whoami": WhoAmI(),
        "audit": Audit(),
        "off": OffAir(),
        "not recorded": NotRecorded(NOT_SAVED, None),
        "too late, with what to type": NotRecorded(
            "That was asked too long ago, so nothing was sent.",
            Command(by_api("DropLiveStream"), STOP.params),
        ),
    }
    for title, reply in shown.items():
        yield Entry(flow, title, _ALONE, replies.receipt(reply, VOCABULARY, action_of(asked)))
    drop = Command(by_api("DropLiveStream"), STOP.params)
    yield Entry(flow, "dry run", _ALONE, replies.receipt(DryRun(drop), VOCABULARY))
    yield Entry(flow, "Slack takes no messages", _ALONE, replies.card_is_late())
    yield Entry(flow, "approval requested", _ALONE, replies.approval_requested(asked))
    for title, of in (("waits", WAITS_TO_CONFIRM), ("runs", asked), ("has ended", STOP)):
        again = replies.asked_before(of, action_of(of), LINK)
        yield Entry(flow, f"pressed before, and it {title}", _ALONE, again)
    yield Entry(flow, "from the list", _ALONE, replies.accepted_from_list(asked))


def _refusals() -> Iterator[Entry]:
    flow = "Refusals"
    denied = replace(STOP, state=State.DENIED, request_id="", rule="")
    no_role = replace(
        denied,
        detail="You can't stop a live stream here. oncall or leads can.",
    )
    shown = {
        "no role": no_role,
        "no role, others can be asked": replace(
            no_role, approvals=Approvals(request_from=("oncall", "leads"))
        ),
        "no reason": replace(
            denied,
            detail="This needs a reason: add reason=CODE, one of copyright, court-order.",
            rule="reasons",
        ),
        "the same waits": replace(
            WAITS_TO_APPROVE,
            state=State.CANCELLED,
            duplicate_of="op2",
            detail="U0BOB already asked for this.",
        ),
        "not understood": replace(denied, state=State.INVALID, detail="It names no command."),
        "its card could not be posted": STOP,
    }
    for title, of in shown.items():
        yield Entry(flow, title, _ALONE, endings.private_reply(of, action_of(of), LINK))


def _mistakes() -> Iterator[Entry]:
    flow = "Mistakes in a command"
    for text in (
        "lvie stream1",
        "live",
        "live stream1 domian=x",
        "ban stream1 for=9y",
        "live stream1 stream2",
        "ingest task-1 region=mars",
    ):
        yield Entry(flow, f"/stopstream {text}", _ALONE, _mistake(text))
    for verb in (Effect.STOP, Effect.START):
        yield Entry(
            flow, f"a mention without anything to {verb.value}", _ALONE, replies.form_offer(verb)
        )


def _mistake(text: str) -> Message:
    try:
        found = parse(text, verb=Effect.STOP, vocabulary=VOCABULARY, now=AT)
    except ParseError as error:
        return replies.parse_error(error)
    return Message(f"understood: {found}")


def _lists() -> Iterator[Entry]:
    flow = "Lists"
    hold = operation(
        "Hold",
        State.ACCEPTED,
        target="stream1",
        ended_at=AT,
        params={"Target": "stream1", "Reason": "court order"},
    )
    found = OffAirList(
        off=(
            OffAirEntry(BAN, until=AT + 1800, state="forbid"),
            OffAirEntry(STOP, None, "inactive"),
        ),
        holds=(hold,),
        on=(OffAirEntry(replace(STOP, target="stream2"), None, "active"),),
    )
    yield Entry(flow, "off", _ALONE, off_air.off_air_list(found))
    yield Entry(flow, "off: nothing", _ALONE, off_air.off_air_list(OffAirList()))
    yield Entry(flow, "off: no role", _ALONE, off_air.off_air_list(OffAirList(may=False)))
    page = SearchPage(Search(), (STOP, BAN, replace(STOP, state=State.UNKNOWN)), older=True)
    yield Entry(flow, "audit", _ALONE, search_results.page(page))
    yield Entry(
        flow, "audit: nothing", _ALONE, search_results.page(SearchPage(Search(), (), older=False))
    )


_PERMISSIONS = tuple(
    Permission(by_api(api), approval, "", ("leads",))
    for api, approval in (
        ("DropLiveStream", Approval.NONE),
        ("ForbidLiveStream", Approval.CONFIRM),
        ("ForbidLiveDomain", Approval.SECOND_PERSON),
        ("StopStreamIngest", None),
    )
)


def _permissions(*roles: str) -> Permissions:
    return Permissions(Person(ALICE, "T0HOME"), roles, _PERMISSIONS if roles else ())


def _help(topic: str) -> Message:
    mine, filled_in = _permissions("oncall"), VOCABULARY.filled_in
    return help_messages.help_on(topic, ACTIONS, mine, filled_in=filled_in)


def _who() -> Iterator[Entry]:
    flow = "Help and whoami"
    yield Entry(flow, "help", _ALONE, _help(""))
    yield Entry(flow, "help ban", _ALONE, _help("ban"))
    yield Entry(flow, "whoami", _ALONE, rights.whoami(_permissions("oncall")))
    yield Entry(flow, "whoami: no role", _ALONE, rights.whoami(_permissions()))


def _forms() -> Iterator[Entry]:
    flow = "Forms"
    for verb in (Effect.STOP, Effect.START, Effect.READ):
        yield Entry(
            flow, verb.value, "A form", views.form(views.FormPlace(verb, "C0INC"), VOCABULARY)
        )
    for choice in (Choice.DENY, Choice.EMERGENCY):
        decision = Decision("key", "op1", choice, Actor("T0HOME", BOB), Place("C0INC"))
        yield Entry(flow, choice.value, "A form", reason_view.reason_form(decision))
    press = ButtonPress("follow:keep-off:1", "op1", "C0INC", "", "")
    ban = Command(by_api("ForbidLiveStream"), STOP.params)
    reasons = {
        "copyright": Reason("A rights holder has asked for it", "Copyright infringement"),
        "court-order": Reason("A court has ordered it", "A court has ordered it"),
    }
    yield Entry(flow, "a reason for a ban", "A form", reason_choice(press, ban, reasons))


def _home() -> Iterator[Entry]:
    flow = "Home"
    recent: list[Operation] = [STOP, replace(BAN, later=later(LaterKind.UNDONE, by=BOB))]
    found = OffAirList(off=(OffAirEntry(BAN, until=AT + 1800, state="forbid"),))
    shown = home_view.home(
        _permissions("oncall"),
        recent,
        [WAITS_TO_CONFIRM],
        [WAITS_TO_APPROVE],
        found,
        card=lambda _one: LINK,
    )
    yield Entry(flow, "of somebody on call", "The home tab", shown)
    nobody = home_view.home(_permissions(), [])
    yield Entry(flow, "of somebody without a role", "The home tab", nobody)
