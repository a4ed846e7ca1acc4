"""The buttons of a waiting card, and those of what may follow an ending; pure."""

from collections.abc import Iterable, Mapping

from bot.catalog.builtin import UNWATCH, WATCH
from bot.catalog.readings import is_unshown
from bot.catalog.registry import action_of
from bot.model.actions import Approval, Effect
from bot.model.operations import Choice, LaterKind, LiveBefore, Operation, State
from bot.operations.follow_ups import (
    KEEP_OFF_FOR,
    FollowUp,
    follow_up_command,
    follow_ups,
)
from bot.redact import redact
from handlers.messages.blocks import Block, plain
from handlers.messages.mrkdwn import code, plain_text, truncate
from handlers.messages.operation_text import live_names
from handlers.messages.wording import lower_deed, span_text

DECIDE = "decide"
"""Prefix of the action_id of a button that decides on an operation; its value is the
operation's id."""

CHOICE_LABELS: Mapping[Choice, str] = {
    Choice.CONFIRM: "Confirm",
    Choice.APPROVE: "Approve",
    Choice.DENY: "Deny",
    Choice.CANCEL: "Cancel",
    Choice.EMERGENCY: "Emergency",
}

FOLLOW = "follow"
"""Prefix of the action_id of a button for what may follow an ending; its value is the
operation's id."""

FOLLOW_UP_LABELS: Mapping[FollowUp, str] = {
    FollowUp.UNDO: "Undo",
    FollowUp.KEEP_OFF: "Ban",
    FollowUp.RETRY: "Retry",
    FollowUp.CHECK: "Check status",
    FollowUp.EXTEND: "Extend",
    FollowUp.LIFT: "Lift now",
    FollowUp.STOP: "Stop",
    FollowUp.STOP_LIVE: "Stop",
    FollowUp.OTHER_DOMAIN: "Use",
    FollowUp.GIVE_REASON: "Give a reason",
}

FOLLOW_UPS = (FollowUp.UNDO, FollowUp.KEEP_OFF, FollowUp.CHECK, FollowUp.RETRY)
"""What may follow an ending, in the order of its buttons."""

_SETTLED = (
    LaterKind.UNDONE,
    LaterKind.ENDED,
    LaterKind.EXTENDED,
    LaterKind.STOPPED_AGAIN,
)
"""What became of a stop, where no button of its ending means anything any more."""

_STYLES: Mapping[Choice, Mapping[str, str]] = {
    Choice.CONFIRM: {"style": "primary"},
    Choice.APPROVE: {"style": "primary"},
    Choice.EMERGENCY: {"style": "danger"},
}


SHOW = "show"
"""The action_id of the button that shows, to who presses it alone, what a request touches; its
value is the operation's id."""

_SHOW_LABEL = "Show what it touches"


DETAILS = "details"
"""The action_id of the button that shows, to who presses it alone, what a card has no room for; its
value is the operation's id."""


def choice_buttons(operation: Operation, request: str, *, more: bool = False) -> Block:
    """Return the buttons of a waiting card.

    Args:
        request: What was asked, in words; it is read aloud with each label.
        more: Whether there is more to know than the card shows.
    """
    meant = [{**button, "style": "primary"} for button in _live_now_buttons(operation)]
    decided = [_choice_button(one, operation, request) for one in _choices(operation)]
    details = [_button(DETAILS, operation.id, "Details", request)] if more else []
    return {
        "type": "actions",
        "block_id": f"{DECIDE}:{operation.id}",
        "elements": [*meant, *decided, *_show_button(operation, request), *details],
    }


def _show_button(operation: Operation, request: str) -> list[Block]:
    """Return the button for those who may read more than the asker; none if the card has it all."""
    if operation.approval is Approval.CONFIRM:
        return []
    if not any(map(is_unshown, operation.preview.readings)):
        return []
    return [_button(SHOW, operation.id, _SHOW_LABEL, request)]


def _choices(operation: Operation) -> list[Choice]:
    if operation.approval is Approval.CONFIRM:
        return [Choice.CONFIRM, Choice.CANCEL]
    approvals = operation.approvals
    # Where nobody may approve, nobody may deny it either.
    others = [Choice.APPROVE, Choice.DENY] if approvals.roles or approvals.escalates_to else []
    emergency = [Choice.EMERGENCY] if approvals.break_glass_rule else []
    return [*others, Choice.CANCEL, *emergency]


def _choice_button(choice: Choice, operation: Operation, request: str) -> Block:
    label, style = CHOICE_LABELS[choice], _STYLES.get(choice, {})
    if choice is Choice.CONFIRM and operation.live_instead:
        # The button to press is that of the other name.
        name = plain_text(code(redact(operation.target), 50))
        label, style = f"{_verb(operation)} {name} anyway", {}
    return {**_button(f"{DECIDE}:{choice.value}", operation.id, label, request), **style}


def card_buttons(operation: Operation) -> list[Block]:
    """Return the buttons of a card that no longer waits: what may follow its ending."""
    later = operation.later
    if later is not None and later.kind in _SETTLED:
        return []
    if operation.api == WATCH.api and operation.state is State.ACCEPTED:
        return _end_watch_button(operation)
    if later is not None and later.kind is LaterKind.STILL_OFF:
        return follow_up_buttons(operation, [FollowUp.LIFT, FollowUp.CHECK])
    return ending_buttons(operation)


def ending_buttons(operation: Operation) -> list[Block]:
    """Return the buttons of what may follow an ending, those of live names first."""
    if operation.api == UNWATCH.api:
        return []
    if operation.api == WATCH.api:
        state = next(iter(operation.result.values()), "")
        return follow_up_buttons(operation, next_steps_of_watch(live=is_live_in(str(state))))
    on_again = operation.later is not None and operation.later.kind is LaterKind.ON_AGAIN
    unwanted = {FollowUp.UNDO} if on_again else set[FollowUp]()
    if operation.live_before is LiveBefore.NOT_LIVE:
        # It was another name that was meant, if any.
        unwanted.add(FollowUp.KEEP_OFF)
    wanted = [one for one in FOLLOW_UPS if one not in unwanted]
    return [*live_now_buttons(operation), *follow_up_buttons(operation, wanted)]


def is_live_in(state: str) -> bool:
    """Return whether a stream is live in a state."""
    return state == WATCH.effect_spec.resource_type.on


def next_steps_of_watch(*, live: bool) -> tuple[FollowUp, ...]:
    """Return what somebody may want to do with a stream that they watch."""
    return (FollowUp.STOP, FollowUp.KEEP_OFF) if live else (FollowUp.CHECK,)


def _end_watch_button(operation: Operation) -> list[Block]:
    button = follow_up_button(FOLLOW, FollowUp.UNDO, operation, "Stop watching")
    return [{"type": "actions", "block_id": f"{FOLLOW}:{operation.id}", "elements": [button]}]


def follow_up_buttons(operation: Operation, wanted: Iterable[FollowUp]) -> list[Block]:
    """Return a block with the buttons of those follow-ups that are possible; none if none is."""
    possible = follow_ups(operation)
    found: list[Block] = []
    for one in wanted:
        if one not in possible:
            continue
        if one is FollowUp.KEEP_OFF:
            found += _keep_off_buttons(operation)
        else:
            found.append(follow_up_button(FOLLOW, one, operation))
    if not found:
        return []
    return [{"type": "actions", "block_id": f"{FOLLOW}:{operation.id}", "elements": found}]


def _keep_off_buttons(operation: Operation) -> list[Block]:
    """Return a button for each time that it can be kept off; its number is in the action_id."""
    request = lower_deed(operation, action_of(operation))
    return [
        _button(
            f"{FOLLOW}:{FollowUp.KEEP_OFF.value}:{number}",
            operation.id,
            f"{FOLLOW_UP_LABELS[FollowUp.KEEP_OFF]} {span_text(seconds)}",
            request,
        )
        for number, seconds in enumerate(KEEP_OFF_FOR, start=1)
    ]


def follow_up_button(
    kind: str, follow_up: FollowUp, operation: Operation, label: str = ""
) -> Block:
    """Return one button of what may follow.

    Args:
        kind: Prefix of its action_id.
    """
    request = lower_deed(operation, action_of(operation))
    label = label or FOLLOW_UP_LABELS[follow_up]
    return _button(f"{kind}:{follow_up.value}", operation.id, label, request)


def live_now_buttons(operation: Operation) -> list[Block]:
    """Return a block with a button for each name that was live; none if none was.

    A button carries its place in the list; the name itself is looked up when it is pressed.
    """
    found = _live_now_buttons(operation)
    if not found:
        return []
    return [{"type": "actions", "block_id": f"{FOLLOW}:live:{operation.id}", "elements": found}]


def domain_buttons(operation: Operation) -> list[Block]:
    """Return a block with a button for each domain that may be meant; none if none may.

    A button carries its place in the list, as that of a live name does.
    """
    found = [
        _button(
            f"{FOLLOW}:{FollowUp.OTHER_DOMAIN.value}:{index}",
            operation.id,
            f"{_on_domain(operation)} {plain_text(code(domain, 60))}",
            "",
        )
        for index, domain in enumerate(operation.preview.domains)
        if follow_up_command(operation, FollowUp.OTHER_DOMAIN, index=index) is not None
    ]
    if not found:
        return []
    return [{"type": "actions", "block_id": f"{FOLLOW}:domain:{operation.id}", "elements": found}]


def _on_domain(operation: Operation) -> str:
    """Return what is done, as the begin of a label that ends with a domain."""
    action = action_of(operation)
    if action is None:
        return FOLLOW_UP_LABELS[FollowUp.OTHER_DOMAIN]
    verb = _verb(operation) if action.effect is Effect.STOP else _VERBS[action.effect]
    return verb if action.effect_spec.resource_type.name == "domain" else f"{verb} on"


_VERBS = {Effect.START: "Start", Effect.READ: "Check", Effect.CHANGE: "Change"}


def _live_now_buttons(operation: Operation) -> list[Block]:
    verb = _verb(operation)
    return [
        _button(
            f"{FOLLOW}:{FollowUp.STOP_LIVE.value}:{index}",
            operation.id,
            f"{verb} {plain_text(code(name, 60))}",
            "",
        )
        for index, name in enumerate(live_names(operation))
    ]


def _verb(operation: Operation) -> str:
    action = action_of(operation)
    return "Ban" if action is not None and action.undo else "Stop"


def _button(action_id: str, id_: str, label: str, request: str) -> Block:
    """Return a button that refers to an operation by its id and carries nothing else."""
    return {
        "type": "button",
        "action_id": action_id,
        "value": id_,
        "text": plain(label),
        "accessibility_label": truncate(
            f"{label}: {plain_text(request)}" if request else label, 70
        ),
    }
