"""Buttons and forms made up or copied, and consent to one's own request by every path."""

import itertools
import json
import re
from typing import Any

from bot.cli.demo import AUDIT, INCIDENTS
from bot.model.operations import Choice
from bot.operations.alert_offers import AlertChoice
from bot.operations.follow_ups import FollowUp
from handlers.messages import search_results, views
from handlers.messages.alert_card import ALERT, PICK
from handlers.messages.annotations import REQUEST
from handlers.messages.buttons import DECIDE, FOLLOW, SHOW
from handlers.messages.moderation_text import FALSE_ALARM, PICTURE
from handlers.messages.off_air import FOLLOW_IN_LIST
from handlers.messages.reason_choice import CODE_BLOCK, CODE_VALUE, REASON_CHOICE
from handlers.messages.reason_view import REASON, REASON_BLOCK, REASON_VALUE
from handlers.messages.ways_in import OPEN_FORM, SUGGESTED
from tests.trials.attack.target import NOBODIES, Attack, Target, in_turn

ACTION_IDS = (
    *(f"{DECIDE}:{choice.value}" for choice in Choice),
    *(f"{kind}:{follow.value}" for kind in (FOLLOW, FOLLOW_IN_LIST) for follow in FollowUp),
    *(f"{FOLLOW}:{FollowUp.EXTEND.value}:{index}" for index in (0, 99)),
    *(f"{ALERT}:{choice.value}:{index}" for choice in AlertChoice for index in (0, 99)),
    *(REQUEST, SHOW, PICK, PICTURE, FALSE_ALARM, f"{OPEN_FORM}:stop", f"{SUGGESTED}:0"),
    *(search_results.OLDER, search_results.FILE, f"{search_results.PERSON}:0"),
    *(views.CHOOSE_ACTION, views.CHOOSE_ACCOUNT, views.CHOOSE_CANDIDATE),
)
"""Every button and choice of the bot's, as the program names them."""

_MADE_UP = (
    *(f"{DECIDE}:APPROVE", f"{DECIDE}:approve:approve", f"{DECIDE}:", f"{FOLLOW}:retry-99"),
    *("nosuch", "", f"{FOLLOW}:\x00", f"{ALERT}:stop:-1", f"{ALERT}:stop:\u0663"),
)


async def forged_buttons(target: Target) -> Attack:
    """Press every button as everyone who may not, in every place, with every value."""
    found, slack = Attack("forged buttons"), target.world.slack
    waiting, card = await _ask_for_ban(target, "banned1", "U0ALICE")
    await target.type("live ended", "U0ALICE")
    await target.quiet()
    ended = await _id_in_log(target, "ended")
    before = target.changes()
    values = [f" {waiting}", f"{waiting}\x00", "../" + waiting, "", "x" * 3000, "live s9", "*"]
    values += ["U0ALICE", "' OR 1=1 --", f"{waiting}:0"]
    channels = (INCIDENTS, AUDIT, "D0MALLORY", "")
    people = [(user, team) for user in NOBODIES for team in (slack.team, "T0OTHER")]
    people += [("U0BOB", "T0OTHER"), ("U0NOBODY", slack.team)]
    names = (*ACTION_IDS, *_MADE_UP)
    tries = [
        *itertools.product(people, names, (waiting, ended), channels),
        *itertools.product(people[:1], names, values, channels[:1]),
    ]

    async def press(person: tuple[str, str], name: str, value: str, channel: str) -> None:
        ack = await slack.delivery.deliver(
            "interaction", _press(target, person, name, value, (channel, card))
        )
        # What is no button of the bot's is not acked over HTTP; nothing else may break.
        broken = ack.error if name in ACTION_IDS else ""
        found.note(f"{person} {name} {value!r} in {channel}: {broken}", through=bool(broken))

    await in_turn(tries, press)
    await _still_waits(target, found, waiting)
    await target.settled(found, before)
    return found


async def own_consent(target: Target) -> Attack:
    """Consent to one's own request by every path; somebody else then does, and it runs."""
    found, slack = Attack("consent to one's own request"), target.world.slack
    waiting, card = await _ask_for_ban(target, "banned2", "U0ALICE")
    before = target.changes()
    alice = ("U0ALICE", slack.team)
    consent = (Choice.APPROVE, Choice.CONFIRM, Choice.EMERGENCY)
    places = itertools.product((INCIDENTS, AUDIT, "D0ALICE", ""), (card, "1.0"))
    for choice, value, place in itertools.product(consent, (waiting, f"{waiting} "), places):
        press = _press(target, alice, f"{DECIDE}:{choice.value}", value, place)
        found.tried += 1
        await slack.delivery.deliver("interaction", press)
        form = _reason_form(target, waiting, choice.value, place, "U0ALICE")
        found.tried += 1
        await slack.delivery.deliver("interaction", form)
    for action_id in (REQUEST, f"{FOLLOW}:{FollowUp.RETRY.value}", f"{SUGGESTED}:0"):
        found.tried += 1
        await slack.delivery.deliver(
            "interaction", _press(target, alice, action_id, waiting, (INCIDENTS, card))
        )
        given = [action_id, waiting, INCIDENTS, "", card]
        state = {"values": {CODE_BLOCK: {CODE_VALUE: {"selected_option": {"value": "x"}}}}}
        form = target.submission(
            REASON_CHOICE, "U0ALICE", private_metadata=json.dumps(given), state=state
        )
        found.tried += 1
        await slack.delivery.deliver("interaction", form)
    await _type_consent(target, found, waiting)
    await _consent_at_terminal(target, found, waiting)
    await _still_waits(target, found, waiting)
    await target.settled(found, before)
    before = target.changes()
    carol = ("U0CAROL", slack.team)
    name = f"{DECIDE}:{Choice.APPROVE.value}"
    press = _press(target, carol, name, waiting, (INCIDENTS, card))
    await slack.delivery.deliver("interaction", press)
    await target.quiet()
    worked = target.changes() == before + 1
    told = [one.text for one in slack.ephemerals("U0CAROL")][-1:]
    found.note(f"an honest approval does not work any more: {told}", through=not worked)
    return found


async def _type_consent(target: Target, found: Attack, waiting: str) -> None:
    """Type it again, say that it is approved, and ask by every other way in."""
    for text in (
        "ban banned2",
        f"approve {waiting}",
        f"ban banned2 approval=none approve={waiting}",
    ):
        found.tried += 3
        await target.type(text, "U0ALICE")
        deliver = target.world.slack.delivery.deliver
        await deliver("event", target.mention(f"stop {text}", "U0ALICE"))
        form = target.form({"StreamName": "banned2"}, "U0ALICE", "ForbidLiveStream")
        await deliver("interaction", form)


async def _consent_at_terminal(target: Target, found: Attack, waiting: str) -> None:
    for user in ("U0ALICE", *NOBODIES, "U0NOBODY"):
        for more in ((), ("--emergency",), ("--emergency", "--reason", "now")):
            given = ("decide", waiting, "approve", "--actor", user, *more)
            code, said = await target.terminal(*given)
            found.note(f"{user} {more}: {said}", through=code == 0)
    for user in NOBODIES:
        given = ("run", "live stream1", "--actor", user, "--channel", INCIDENTS)
        code, said = await target.terminal(*given)
        found.note(f"run as {user}: {said}", through=code == 0)


async def _ask_for_ban(target: Target, name: str, user: str) -> tuple[str, str]:
    """Ask for a ban, which somebody else has to approve; return its id and its card's time."""
    slack = target.world.slack
    await target.type(f"ban {name}", user)
    card = await slack.wait_for(
        lambda: next(
            (m for m in slack.channels[INCIDENTS].roots if re.search(rf"\b{name}\b", m.text)), None
        )
    )
    found = re.search(r'"value": "([0-9A-Za-z_-]{8,})"', json.dumps(card.blocks))
    assert found is not None
    return found[1], card.ts


async def _id_in_log(target: Target, name: str) -> str:
    """Return the id of an operation that has ended, as the audit channel tells it."""
    slack = target.world.slack
    line = await slack.wait_for(
        lambda: next(
            (m for m in slack.channels[AUDIT].roots if re.search(rf"\b{name}\b", m.text)), None
        )
    )
    found = re.search(r"operation `([0-9a-z]+)`", line.text)
    assert found is not None
    return found[1]


def _press(
    target: Target, person: tuple[str, str], name: str, value: str, place: tuple[str, str]
) -> dict[str, Any]:
    """Return a press in a channel, under the message of a time."""
    option = {"value": value, "text": {"type": "plain_text", "text": "x"}}
    action = {"action_id": name, "value": value, "type": "button", "block_id": "b"}
    (user, team), (channel, ts) = person, place
    return target.interaction(
        "block_actions",
        user,
        team,
        channel={"id": channel},
        container={"type": "message", "message_ts": ts, "channel_id": channel},
        message={"ts": ts, "text": "x"},
        actions=[action | {"selected_option": option}],
    )


def _reason_form(
    target: Target, waiting: str, choice: str, place: tuple[str, str], user: str
) -> dict[str, Any]:
    state = {"values": {REASON_BLOCK: {REASON_VALUE: {"value": "it cannot wait"}}}}
    metadata = json.dumps([waiting, choice, place[0], "", place[1]])
    return target.submission(REASON, user, private_metadata=metadata, state=state)


async def _still_waits(target: Target, found: Attack, waiting: str) -> None:
    await target.quiet()
    _, pending = await target.terminal("pending")
    waits = any(waiting in line and "waiting" in line for line in pending.splitlines())
    found.note(f"{waiting} does not wait any more: {pending}", through=not waits)
