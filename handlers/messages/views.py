"""The form and the home tab as views, derived from the catalog; pure.

Source: https://docs.slack.dev/reference/views
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.commands.alerts import Candidate
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Action, Effect, Param, Site
from bot.model.operations import Choice, Decision, Operation
from bot.operations.service import OffAirList, Permissions
from handlers.messages import off_air as offair
from handlers.messages.cards import Block, section
from handlers.messages.mrkdwn import escape, fit, link, moment, worded
from handlers.messages.replies import (
    EFFECTS,
    SOMETHING,
    buttons,
    everywhere_lines,
    form_button,
    operation_line,
)

FORM = "form"
"""The form's callback_id."""

REASON = "reason"
"""The callback_id of the form in which a reason is written."""

REASON_BLOCK = "reason"

CHOOSE = "choose-action"
"""How the action_id of the choice of an action begins; after a colon follows what is chosen."""

ON = "choose-account"
"""The action_id of the choice of an account."""

FOUND = "choose-found"
"""The action_id of the choice among what a message names."""

FOUND_BLOCK = "found"
ACTION_BLOCK = "action"
CHANNEL_BLOCK = "channel"
REGION_BLOCK = "param:Region"
ACCOUNT_BLOCK = "param:Account"
CASE_BLOCK = "param:Case"
VALUE = "value"

_OPTION_MOST = 75
_OPTIONS_MOST = 100
_INPUT_MOST = 3000
_CASE_MOST = 64
_LABEL_MOST = 2000
_METADATA_MOST = 2500
_AWAY = 10


@dataclass(frozen=True, slots=True)
class FormPlace:
    """Where the form was opened; empty from the home tab.

    Attributes:
        found: What the message names on which it was opened; None: on no message.
        at: Which of these fills in the fields.
        account: The one that was chosen; empty for the channel's own.
    """

    verb: Effect
    channel: str = ""
    thread_ts: str = ""
    found: tuple[Candidate, ...] | None = None
    at: int = 0
    account: str = ""

    @property
    def given(self) -> Mapping[str, str]:
        """What fills in the fields, by Tencent's names."""
        return self.found[self.at].params if self.found else {}


@dataclass(frozen=True, slots=True)
class ReasonPlace:
    """Which press the form of a reason belongs to."""

    operation: str
    choice: str
    channel: str
    thread_ts: str
    message_ts: str


def reason(found: Decision) -> dict[str, Any]:
    """Draw the form for a reason: one may be given for a no, one must for an emergency."""
    emergency = found.choice is Choice.EMERGENCY
    place = found.place
    told = (
        "This goes without the second person that the policy wants. It is marked as an emergency "
        "on the card, in the audit channel and on the trail."
        if emergency
        else "Nothing is sent. Whoever asked reads your reason in the thread."
    )
    return {
        "type": "modal",
        "callback_id": REASON,
        "private_metadata": json.dumps(
            [found.operation, found.choice.value, place.channel, place.thread_ts, found.message_ts]
        ),
        "title": _plain("Emergency" if emergency else "Deny", 24),
        "submit": _plain("Run it now" if emergency else "Deny", 24),
        "close": _plain("Back", 24),
        "blocks": [
            section(told),
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "optional": not emergency,
                "label": _plain("Why it cannot wait" if emergency else "Reason"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": VALUE,
                    "multiline": True,
                    "max_length": 500,
                },
            },
        ],
    }


def unpacked_reason(metadata: str) -> ReasonPlace | None:
    """Read back which press a form of a reason belongs to."""
    try:
        found = json.loads(metadata)
        place = ReasonPlace(*found)
    except (TypeError, ValueError):
        return None
    return place if all(isinstance(one, str) for one in found) else None


def sentence(text: str) -> str:
    """Show a sentence of ours that holds the ids of people and channels."""
    return worded(text, 1500)


def param_block(api: str) -> str:
    """Name the block of a parameter's field."""
    return f"param:{api}"


def packed(place: FormPlace) -> str:
    """Write a form's place for `private_metadata`."""
    kept = None if place.found is None else _listed(_kept(place.found))
    here = [place.verb.value, place.channel, place.thread_ts]
    return json.dumps([*here, kept, place.at, place.account])


def _kept(found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Give those that `private_metadata` can hold: Slack keeps 3,000 characters."""
    while len(json.dumps(_listed(found))) > _METADATA_MOST:
        found = found[:-1]
    return found


def _listed(found: Sequence[Candidate]) -> list[Any]:
    return [[one.api, dict(one.params)] for one in found]


def unpacked(metadata: str) -> FormPlace | None:
    """Read it back; None if it is not what `packed` writes."""
    try:
        verb, channel, thread_ts, kept, at, account = json.loads(metadata)
        found = None if kept is None else tuple(Candidate(api, params) for api, params in kept)
        place = FormPlace(Effect(verb), channel, thread_ts, found, at, account)
        _ = place.given
    except (TypeError, ValueError, IndexError):
        return None
    texts = (channel, thread_ts, account)
    return place if all(isinstance(text, str) for text in texts) else None


def form(place: FormPlace, vocabulary: Vocabulary, api: str = "") -> dict[str, Any]:
    """Draw the form with the fields of one action; without `api` the first one of the verb."""
    if place.found is not None:
        # Only what a choice leads to is offered.
        place = replace(place, found=_kept(place.found))
    here = vocabulary.at(place.channel)
    vocabulary = here.on(place.account) if place.account in here.accounts else here
    groups = _by_effect(place.verb, vocabulary.actions)
    everything = [action for _, actions in groups for action in actions]
    api = api or (place.found[place.at].api if place.found else "")
    chosen = next((a for a in everything if a.api == api), everything[0])
    blocks = [_choice(groups, chosen), section(f"{chosen.does} {chosen.deprecated}".strip())]
    blocks[:0] = _found(place)
    if not place.channel:
        blocks.append(_conversation())
    if len(vocabulary.accounts) > 1:
        blocks.append(_account(vocabulary))
    blocks += [
        _field(
            param,
            _given(place, param) or _default(chosen, param.names, vocabulary, param.default),
        )
        for param in chosen.params
        if param.only in (None, _site(chosen, vocabulary))
    ]
    if chosen.regions is not None:
        blocks.append(_region(chosen, vocabulary))
    blocks.append(_case())
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": packed(place),
        "title": _plain(SOMETHING[place.verb], 24),
        "submit": _plain("Ask", 24),
        "close": _plain("Cancel", 24),
        "blocks": blocks,
    }


def home(
    standing: Permissions | None,
    recent: Sequence[Operation],
    mine: Sequence[Operation] = (),
    waiting: Sequence[Operation] = (),
    away: OffAirList | None = None,
    *,
    card: Callable[[Operation], str] = lambda _operation: "",
    trouble: str = "",
) -> dict[str, Any]:
    """Draw the home tab of one person; without `standing` where Slack did not say who they are.

    `mine` is what has no ending yet, `waiting` what waits for this person's approval, `away` what
    is off and not yet on.
    `card` gives the address of an operation's card.
    `trouble` is a sentence about what could not be read.
    """
    blocks: list[Block] = [
        _header("Stop or start something"),
        buttons(form_button(Effect.STOP), form_button(Effect.START), form_button(Effect.READ)),
    ]
    if waiting:
        blocks.append(_header("Waiting for you to approve"))
        blocks += [section(_to_decide(operation, card(operation))) for operation in waiting[:10]]
    if mine:
        blocks.append(_header("Your open requests"))
        blocks += [section(_open(operation, card(operation))) for operation in mine[:10]]
    if away is not None and (away.off or away.holds):
        blocks.append(_header("Off and not yet on"))
        blocks += offair.blocks_of(away, _AWAY)
        if max(len(away.off), len(away.holds)) > _AWAY:
            blocks.append(section("`/stopstream off` lists more."))
    above = {operation.id for operation in mine[:10]}
    rest = [operation for operation in recent if operation.id not in above]
    if rest or trouble or not above:
        blocks.append(_header("What you asked lately"))
    if trouble:
        blocks.append(section(escape(trouble)))
    blocks += [section(operation_line(operation)) for operation in rest[:10]]
    if not recent:
        blocks.append(section("Nothing yet. `/stopstream help` shows what can be said."))
    if standing is not None:
        blocks.append(_header("What you may do"))
        blocks += [section(line) for line in _packed_lines(everywhere_lines(standing))]
    return {"type": "home", "blocks": blocks[:100]}


def _open(operation: Operation, address: str) -> str:
    where = link(address, "its card")
    return f"{operation_line(operation)} · {where}" if where else operation_line(operation)


def _to_decide(operation: Operation, address: str) -> str:
    expires = f" It expires {moment(operation.expires_at)}." if operation.expires_at else ""
    where = link(address, "its card") or "its card"
    return f"{operation_line(operation)}\nApprove or deny it on {where}.{expires}"


def _packed_lines(lines: Sequence[str], most: int = 2900) -> list[str]:
    packs: list[str] = []
    for line in lines:
        if packs and len(packs[-1]) + len(line) < most:
            packs[-1] += "\n" + line
        else:
            packs.append(line)
    return packs[:50]


def _found(place: FormPlace) -> list[Block]:
    """Say what was found in the message, and let one of several be chosen."""
    if place.found is None:
        return []
    if not place.found:
        return [
            section("Nothing that can be stopped is named in that message; fill it in yourself.")
        ]
    if len(place.found) == 1:
        return [section(f"Found in the message: {escape(place.found[0].label, 500)}")]
    options = [_option(one.label, str(at)) for at, one in enumerate(place.found)]
    return [
        {
            "type": "input",
            "block_id": FOUND_BLOCK,
            "dispatch_action": True,
            "label": _plain("Found in the message"),
            "element": {
                "type": "static_select",
                "action_id": FOUND,
                "initial_option": options[place.at],
                "options": options,
            },
        }
    ]


def _given(place: FormPlace, param: Param) -> str:
    return next((place.given[name] for name in param.names if name in place.given), "")


# --- fields --------------------------------------------------------------------------


def _by_effect(verb: Effect, actions: Sequence[Action]) -> list[tuple[Effect, list[Action]]]:
    """Group the actions by what they do, those of the verb first."""
    order = sorted(EFFECTS, key=lambda effect: effect is not verb)
    groups = [(effect, [a for a in actions if a.effect is effect]) for effect in order]
    return [(effect, found) for effect, found in groups if found]


def _choice(groups: Sequence[tuple[Effect, Sequence[Action]]], chosen: Action) -> Block:
    return {
        "type": "input",
        "block_id": ACTION_BLOCK,
        "dispatch_action": True,
        "label": _plain("What"),
        "element": {
            "type": "static_select",
            # What is chosen may change with what was found, so the entry is named after it.
            "action_id": f"{CHOOSE}:{chosen.api}",
            "initial_option": _action_option(chosen),
            "option_groups": [
                {
                    "label": _plain(EFFECTS[effect]),
                    "options": [_action_option(action) for action in actions[:_OPTIONS_MOST]],
                }
                for effect, actions in groups
            ],
        },
    }


def _action_option(action: Action) -> Block:
    return _option(f"{action.words}: {action.api}", action.api)


def untouched(entry: str, value: str) -> bool:
    """Say whether an entry of this name still holds what filled it in."""
    return bool(value) and entry == _entry(value)


def _entry(filled_in: str) -> str:
    """Name a field's entry by what fills it in.

    Slack keeps what a field of the same names holds when a view is drawn anew, which would keep
    the default of another action or account.
    """
    return f"{VALUE}:{zlib.crc32(filled_in.encode()):08x}" if filled_in else VALUE


def _field(param: Param, default: str) -> Block:
    shown = "" if param.secret else default
    if param.type.json == "bool":
        element: Block = {
            "type": "static_select",
            "action_id": _entry(shown),
            "options": [_option("yes", "yes"), _option("no", "no")],
        }
        if shown in ("yes", "no"):
            element["initial_option"] = _option(shown, shown)
    else:
        most = min(param.type.max_length, _INPUT_MOST)
        # Cut short it would be another value.
        shown = shown if len(shown) <= most else ""
        element = {"type": "plain_text_input", "max_length": most, "action_id": _entry(shown)}
        if shown:
            element["initial_value"] = shown
    return {
        "type": "input",
        "block_id": param_block(param.api),
        "optional": not param.required or bool(default),
        "label": _plain(f"{param.word} ({param.api})", _LABEL_MOST),
        "hint": _plain(f"{param.help}: {param.type.description}", _LABEL_MOST),
        "element": element,
    }


def _region(action: Action, vocabulary: Vocabulary) -> Block:
    regions = (action.regions or {}).get(_site(action, vocabulary), ())
    options = [_option(region, region) for region in regions[:_OPTIONS_MOST]]
    default = vocabulary.region_for(action, vocabulary.meant)
    entry = _entry(f"{default} of {','.join(regions)}")
    element: Block = {"type": "static_select", "action_id": entry, "options": options}
    if default in regions:
        element["initial_option"] = _option(default, default)
    return {
        "type": "input",
        "block_id": REGION_BLOCK,
        "label": _plain("region"),
        "element": element,
    }


def _account(vocabulary: Vocabulary) -> Block:
    """Let the account be chosen, on whose site and defaults the other fields depend."""
    meant = [vocabulary.meant] if vocabulary.meant else []
    names = dict.fromkeys([*meant, *vocabulary.accounts])
    options = [_option(name, name) for name in names][:_OPTIONS_MOST]
    element: Block = {"type": "static_select", "action_id": ON, "options": options}
    if vocabulary.meant:
        element["initial_option"] = _option(vocabulary.meant, vocabulary.meant)
    return {
        "type": "input",
        "block_id": ACCOUNT_BLOCK,
        "dispatch_action": True,
        "label": _plain("account"),
        "element": element,
    }


def _case() -> Block:
    return {
        "type": "input",
        "block_id": CASE_BLOCK,
        "optional": True,
        "label": _plain("case"),
        "hint": _plain("The incident or ticket it belongs to; left out: the channel's own."),
        "element": {"type": "plain_text_input", "action_id": VALUE, "max_length": _CASE_MOST},
    }


def _conversation() -> Block:
    return {
        "type": "input",
        "block_id": CHANNEL_BLOCK,
        "label": _plain("Channel that sees it"),
        "element": {
            "type": "conversations_select",
            "action_id": VALUE,
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
        },
    }


def _site(action: Action, vocabulary: Vocabulary) -> Site:
    return vocabulary.site(action, vocabulary.meant)


def _default(action: Action, names: Sequence[str], vocabulary: Vocabulary, last: object) -> str:
    """Give what fills a field that is left out: the policy's word, or the catalog's."""
    found: object = last
    for given in vocabulary.defaults_for(action, vocabulary.meant):
        if held := [name for name in names if name in given]:
            found = given[held[0]]
            break
    if isinstance(found, bool):
        return "yes" if found else "no"
    return "" if found is None else str(found)


def _option(text: str, value: str) -> Block:
    return {"text": _plain(text, _OPTION_MOST), "value": value[:_OPTION_MOST]}


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, 150)}


def _plain(text: str, most: int = _LABEL_MOST) -> Block:
    return {"type": "plain_text", "text": fit(text, most), "emoji": False}
