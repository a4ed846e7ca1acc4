"""The form in which an action is chosen and filled in, as a view; pure.

Source: https://docs.slack.dev/reference/views
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.catalog.param_types import text
from bot.catalog.registry import picks_live
from bot.commands.alerts import Candidate
from bot.commands.vocabulary import REASON, Vocabulary
from bot.model.actions import Action, Effect, Param
from bot.operations.results import LiveStream
from handlers.messages.blocks import Block, plain, section
from handlers.messages.help import EFFECT_LABELS
from handlers.messages.mrkdwn import escape, render_sentence
from handlers.messages.reason_choice import reason_field
from handlers.messages.stream_picker import OTHERWISE, stream_picker
from handlers.messages.ways_in import FORM_TITLES

FORM = "form"
"""The form's callback_id."""

CHOOSE_ACTION = "choose-action"
"""Prefix of the action_id of the choice of an action; the chosen API follows a colon."""

CHOOSE_ACCOUNT = "choose-account"
"""The action_id of the choice of an account."""

CHOOSE_CANDIDATE = "choose-found"
"""The action_id of the choice among what a message names."""

CANDIDATE_BLOCK = "found"
ACTION_BLOCK = "action"
CHANNEL_BLOCK = "channel"
REGION_BLOCK = "param:Region"
ACCOUNT_BLOCK = "param:Account"
CASE_BLOCK = "param:Case"
VALUE = "value"

_OPTION_MOST = 75
_SUBMIT_MOST = 24
_OPTIONS_MOST = 100
_INPUT_MOST = 3000
_CASE_MOST = 64
_METADATA_MOST = 2500


@dataclass(frozen=True, slots=True)
class FormPlace:
    """Where the form was opened, and what is chosen in it.

    Attributes:
        channel: Empty if it was opened from the home tab.
        candidates: What the message names on which it was opened; None if on no message.
        chosen: The index of the candidate that fills in the fields.
        account: The one that was chosen; empty for the channel's own.
    """

    verb: Effect
    channel: str = ""
    thread_ts: str = ""
    candidates: tuple[Candidate, ...] | None = None
    chosen: int = 0
    account: str = ""

    @property
    def values(self) -> Mapping[str, str]:
        """Return what fills in the fields, by parameter names."""
        return self.candidates[self.chosen].params if self.candidates else {}


def sentence(text: str) -> str:
    """Render a sentence of the bot's that may contain ids of people and channels."""
    return render_sentence(text, 1500)


def param_block(api: str) -> str:
    """Return the block_id of a parameter's field."""
    return f"param:{api}"


def encode_place(place: FormPlace) -> str:
    """Encode a form's place as `private_metadata`."""
    candidates = None if place.candidates is None else _as_lists(_that_fit(place.candidates))
    opened = [place.verb.value, place.channel, place.thread_ts]
    return json.dumps([*opened, candidates, place.chosen, place.account])


def _that_fit(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return those that fit into `private_metadata`: Slack keeps 3,000 characters."""
    while len(json.dumps(_as_lists(candidates))) > _METADATA_MOST:
        candidates = candidates[:-1]
    return candidates


def _as_lists(candidates: Sequence[Candidate]) -> list[Any]:
    return [[one.api, dict(one.params)] for one in candidates]


def decode_place(metadata: str) -> FormPlace | None:
    """Decode a form's place; None if it is malformed."""
    try:
        verb, channel, thread_ts, listed, chosen, account = json.loads(metadata)
        candidates = (
            None if listed is None else tuple(Candidate(api, params) for api, params in listed)
        )
        place = FormPlace(Effect(verb), channel, thread_ts, candidates, chosen, account)
        _ = place.values
    except (TypeError, ValueError, IndexError):
        return None
    texts = (channel, thread_ts, account)
    return place if all(isinstance(text, str) for text in texts) else None


def form(place: FormPlace, vocabulary: Vocabulary, api: str = "") -> dict[str, Any]:
    """Render the form with the fields of one action.

    Args:
        vocabulary: With the actions that are offered; at least one.
        api: Of the action; empty for that of the chosen candidate, or the first of the verb.
    """
    if place.candidates is not None:
        # Only candidates that can be chosen later are offered.
        place = replace(place, candidates=_that_fit(place.candidates))
    here = vocabulary.at(place.channel)
    vocabulary = here.on(place.account) if place.account in here.accounts else here
    groups = _by_effect(place.verb, vocabulary.actions)
    everything = [action for _, actions in groups for action in actions]
    api = api or (place.candidates[place.chosen].api if place.candidates else "")
    action = next((a for a in everything if a.api == api), everything[0])
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": encode_place(place),
        "title": plain(FORM_TITLES[action.effect], 24),
        "submit": plain(_submit_label(action), _SUBMIT_MOST),
        "close": plain("Cancel", 24),
        "blocks": [
            *_candidate_choice(place),
            _action_choice(groups, action),
            section(f"{action.does} {action.deprecated}".strip()),
            *([] if place.channel else [_channel_field()]),
            *([_account_field(vocabulary)] if len(vocabulary.accounts) > 1 else []),
            *_param_fields(place, action, vocabulary),
            *([] if action.regions is None else [_region_field(action, vocabulary)]),
            _case_field(),
        ],
    }


def _candidate_choice(place: FormPlace) -> list[Block]:
    """Return what was found in the message, as a choice if there are several."""
    if place.candidates is None:
        return []
    if not place.candidates:
        return [
            section("Nothing that can be stopped is named in that message; fill it in yourself.")
        ]
    if len(place.candidates) == 1:
        return [section(f"Found in the message: {escape(place.candidates[0].label, 500)}")]
    options = [_option(one.label, str(index)) for index, one in enumerate(place.candidates)]
    return [
        {
            "type": "input",
            "block_id": CANDIDATE_BLOCK,
            "dispatch_action": True,
            "label": plain("Found in the message"),
            "element": {
                "type": "static_select",
                "action_id": CHOOSE_CANDIDATE,
                "initial_option": options[place.chosen],
                "options": options,
            },
        }
    ]


def _by_effect(verb: Effect, actions: Sequence[Action]) -> list[tuple[Effect, list[Action]]]:
    """Group the actions by their effect, those of the verb first."""
    order = sorted(EFFECT_LABELS, key=lambda effect: effect is not verb)
    groups = [(effect, [a for a in actions if a.effect is effect]) for effect in order]
    return [(effect, found) for effect, found in groups if found]


def _action_choice(groups: Sequence[tuple[Effect, Sequence[Action]]], chosen: Action) -> Block:
    return {
        "type": "input",
        "block_id": ACTION_BLOCK,
        "dispatch_action": True,
        "label": plain("What"),
        "element": {
            "type": "static_select",
            # Another candidate may choose another action, so the name depends on the action.
            "action_id": f"{CHOOSE_ACTION}:{chosen.api}",
            "initial_option": _action_option(chosen),
            "option_groups": [
                {
                    "label": plain(EFFECT_LABELS[effect]),
                    "options": [_action_option(action) for action in actions[:_OPTIONS_MOST]],
                }
                for effect, actions in groups
            ],
        },
    }


def _action_option(action: Action) -> Block:
    return _option(action.plain_name, action.api)


def _submit_label(action: Action) -> str:
    """Return what a press does, e.g. `Stop stream`, as far as the button is long enough."""
    name = action.plain_name.replace("a live stream", "stream").replace(" a ", " ")
    return name if len(name) <= _SUBMIT_MOST else EFFECT_LABELS[action.effect]


def is_prefilled(name: str, value: str) -> bool:
    """Return whether a field of this action_id still holds the value that prefilled it."""
    return bool(value) and name == _field_name(value)


def _field_name(prefilled: str) -> str:
    """Return the action_id of a field, which depends on what prefills it.

    Slack keeps the content of a field with the same ids when a view is updated, which would keep
    the default of another action or account.
    """
    return f"{VALUE}:{zlib.crc32(prefilled.encode()):08x}" if prefilled else VALUE


def _param_fields(place: FormPlace, action: Action, vocabulary: Vocabulary) -> list[Block]:
    site = vocabulary.site(action, vocabulary.meant)
    by_code = vocabulary.takes_code(action)
    fields = [
        _param_field(param, _candidate_value(place, param) or _default(action, param, vocabulary))
        for param in action.params
        if param.only in (None, site) and not (by_code and param.api == REASON)
    ]
    if by_code:
        optional = action.api not in vocabulary.reason_needed
        block = param_block(REASON)
        fields.append(reason_field(block, VALUE, vocabulary.reasons, optional=optional))
    if not picks_live(action):
        return fields
    # A stream that is live is picked; any other one is typed.
    named = {"label": plain(OTHERWISE), "optional": True}
    named_block = param_block(action.effect_spec.key[0])
    return [
        stream_picker(vocabulary.meant),
        *(one | named if one["block_id"] == named_block else one for one in fields),
    ]


def usual_place(action: Action, vocabulary: Vocabulary) -> LiveStream:
    """Return the domain and the path that a form fills in for a stream without a name."""
    params = [action.param(word) for word in ("domain", "app")]
    return LiveStream("", *(_default(action, one, vocabulary) if one else "" for one in params))


def drawn_action(view: Mapping[str, Any]) -> str:
    """Return the API of the action whose fields a form shows; empty if it is no such form."""
    for block in view.get("blocks") or ():
        element = block.get("element") if isinstance(block, Mapping) else None
        name = element.get("action_id") if isinstance(element, Mapping) else None
        if isinstance(name, str) and name.startswith(f"{CHOOSE_ACTION}:"):
            return name.partition(":")[2]
    return ""


def _candidate_value(place: FormPlace, param: Param) -> str:
    return next((place.values[name] for name in param.names if name in place.values), "")


def _default(action: Action, param: Param, vocabulary: Vocabulary) -> str:
    """Return the default of a parameter: the policy's, or else the catalog's."""
    default: object = param.default
    for given in vocabulary.defaults_for(action, vocabulary.meant):
        if names := [name for name in param.names if name in given]:
            default = given[names[0]]
            break
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "" if default is None else str(default)


def _param_field(param: Param, default: str) -> Block:
    prefilled = "" if param.secret else default
    is_bool = param.type.json == "bool"
    return {
        "type": "input",
        "block_id": param_block(param.api),
        "optional": not param.required or bool(default),
        "label": plain(param.word),
        "hint": plain(_hint(param)),
        "element": _yes_or_no(prefilled) if is_bool else _text_input(param, prefilled),
    }


def _hint(param: Param) -> str:
    """Return what a field is for, and how it is written unless any text will do."""
    return param.help if param.type is text else f"{param.help}: {param.type.description}"


def _yes_or_no(prefilled: str) -> Block:
    element: Block = {
        "type": "static_select",
        "action_id": _field_name(prefilled),
        "options": [_option("yes", "yes"), _option("no", "no")],
    }
    if prefilled in ("yes", "no"):
        element["initial_option"] = _option(prefilled, prefilled)
    return element


def _text_input(param: Param, prefilled: str) -> Block:
    most = min(param.type.max_length, _INPUT_MOST)
    # Truncated it would be another value.
    prefilled = prefilled if len(prefilled) <= most else ""
    element: Block = {
        "type": "plain_text_input",
        "max_length": most,
        "action_id": _field_name(prefilled),
    }
    if prefilled:
        element["initial_value"] = prefilled
    return element


def _region_field(action: Action, vocabulary: Vocabulary) -> Block:
    regions = (action.regions or {}).get(vocabulary.site(action, vocabulary.meant), ())
    options = [_option(region, region) for region in regions[:_OPTIONS_MOST]]
    default = vocabulary.region_for(action, vocabulary.meant)
    name = _field_name(f"{default} of {','.join(regions)}")
    element: Block = {"type": "static_select", "action_id": name, "options": options}
    if default in regions:
        element["initial_option"] = _option(default, default)
    return {
        "type": "input",
        "block_id": REGION_BLOCK,
        "label": plain("region"),
        "element": element,
    }


def _account_field(vocabulary: Vocabulary) -> Block:
    """Return the choice of the account, whose site and defaults the other fields depend on."""
    meant = [vocabulary.meant] if vocabulary.meant else []
    names = dict.fromkeys([*meant, *vocabulary.accounts])
    options = [_option(name, name) for name in names][:_OPTIONS_MOST]
    element: Block = {"type": "static_select", "action_id": CHOOSE_ACCOUNT, "options": options}
    if vocabulary.meant:
        element["initial_option"] = _option(vocabulary.meant, vocabulary.meant)
    return {
        "type": "input",
        "block_id": ACCOUNT_BLOCK,
        "dispatch_action": True,
        "label": plain("account"),
        "element": element,
    }


def _case_field() -> Block:
    return {
        "type": "input",
        "block_id": CASE_BLOCK,
        "optional": True,
        "label": plain("case"),
        "hint": plain("The incident or ticket it belongs to; if left out, the channel's own."),
        "element": {"type": "plain_text_input", "action_id": VALUE, "max_length": _CASE_MOST},
    }


def _channel_field() -> Block:
    return {
        "type": "input",
        "block_id": CHANNEL_BLOCK,
        "label": plain("Channel that sees it"),
        "element": {
            "type": "conversations_select",
            "action_id": VALUE,
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
        },
    }


def _option(text: str, value: str) -> Block:
    return {"text": plain(text, _OPTION_MOST), "value": value[:_OPTION_MOST]}
