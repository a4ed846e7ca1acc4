"""Help: an overview, one kind of action in full, or a topic that is no action; pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from bot.commands.formatting import command_prefix, example
from bot.model.actions import Action, Effect
from bot.operations.results import Permissions
from bot.policy.explanation import Permission
from handlers.messages.blocks import TEXT_MOST, Message, arrange, button_row, section
from handlers.messages.help_topics import as_mentions, targets_line, topic_lines
from handlers.messages.mrkdwn import code, escape, format_value, truncate
from handlers.messages.rights import (
    nothing_at_all,
    permission_sentence,
    request_button,
    ways_here,
)
from handlers.messages.ways_in import form_button, more_button

FilledIn: TypeAlias = Callable[[Action], Collection[str]]

EFFECT_LABELS = {
    Effect.STOP: "Stop",
    Effect.START: "Start",
    Effect.CHANGE: "Change",
    Effect.READ: "Check",
}
"""What people call the actions of an effect."""

_NO_TARGETS: Mapping[str, str] = {}

ALL = "all"
"""The topic under which everything is listed."""

_FIRST = ("DropLiveStream", "ForbidLiveStream", "ResumeLiveStream", "DescribeLiveStreamState")
"""What people need first, by its API name."""

_SHOWN, _NAMED = 3, 5
"""How many commands a short help shows, and how many actions it names for each way."""

_WAYS = (
    "`/stopstream off` shows what is off; `/stopstream whoami` shows why you can't do the rest.",
    "`/stopstream help ban` explains one command, `/stopstream help all` lists every one.",
)

_LEGEND = "What you can do here is marked ✓; `/stopstream whoami` says how, and why not the rest."

_MORE = (
    "*More*",
    "`/stopstream` alone opens a form. `/stopstream help KIND` explains one kind in full.",
    "`/stopstream whoami` says what you can do here, `/stopstream audit since=24h` what ran.",
    "`/stopstream off` lists what is off or held; `/stopstream watch stream1` follows a stream.",
    "`user=me`, `action=ban`, `target=stream1`, `ending=failed`, `case=INC-42` narrow it down.",
    "Any action takes `case=INC-42`, the incident that it belongs to.",
    "Where there are several accounts, `account=europe` names one, or the channel does.",
    "Values are `name=value` or `--name value`, quoted where they hold spaces.",
    "`--dry-run` on any command shows you what would be sent, and sends nothing.",
    "Every action goes by its API name, too. In a thread, say `@stopstream stop live stream1`.",
)


def in_thread(message: Message) -> Message:
    """Return a help message with its commands as mentions."""
    blocks = (
        section(as_mentions(one["text"]["text"])) if one["type"] == "section" else one
        for one in message.blocks
    )
    return Message(as_mentions(message.text), tuple(blocks))


def help_on(
    topic: str,
    actions: Sequence[Action],
    permissions: Permissions | None = None,
    targets: Mapping[str, str] = _NO_TARGETS,
    *,
    filled_in: FilledIn = lambda _action: (),
) -> Message:
    """Explain a topic in full; without one, what the reader can do here, in a few lines.

    Args:
        permissions: Of the reader, so that what they may do here is marked; None if unknown.
        targets: Of the policy, by name.
        filled_in: Returns the parameters of an action that the policy fills in, by Tencent's names.
    """
    may: dict[str, list[Permission]] = {}
    for permission in permissions.may if permissions else ():
        may.setdefault(permission.action.api, []).append(permission)
    folded = topic.casefold()
    if not folded:
        return _in_short(actions, permissions, targets, filled_in)
    if folded == ALL:
        return _overview(actions, may, targets=targets)
    named = [action for action in actions if folded in (action.words, action.api.casefold())]
    family = [action for action in actions if folded in (action.product.name, action.effect.value)]
    if named:
        return _in_full(
            topic, named, family, may, known={one.api: one for one in actions}, filled_in=filled_in
        )
    if family:
        return _overview(family, may)
    if lines := topic_lines(topic, targets, actions):
        return arrange(lines)
    unknown = f"There is no help on {code(topic, 80)}."
    return _in_short(actions, permissions, targets, filled_in, unknown)


def _in_short(
    actions: Sequence[Action],
    permissions: Permissions | None,
    targets: Mapping[str, str],
    filled_in: FilledIn,
    *before: str,
) -> Message:
    """Describe what the reader can do here, by how, with two commands to paste."""
    if permissions is not None and (why := nothing_at_all(permissions)):
        found, ways = arrange([*before, why]), request_button(permissions)
        return Message(found.text, (*found.blocks, *(ways or [button_row(more_button())])))
    lines = [*before]
    allowed = [*actions]
    if permissions is not None:
        lines += ["*What you can do here*", *ways_here(permissions, _NAMED)]
        allowed = [one.action for one in permissions.may if one.approval is not None]
    shown = [action for api in _FIRST for action in allowed if action.api == api]
    lines += [f"{one.plain_name}: {_example(one, filled_in)}" for one in shown[:_SHOWN]]
    lines += [*([] if before else targets_line(targets)), *_WAYS]
    found = arrange(lines)
    return Message(found.text, (*found.blocks, button_row(more_button(), form_button(Effect.STOP))))


def _in_full(
    topic: str,
    named: Sequence[Action],
    family: Sequence[Action],
    may: Mapping[str, Sequence[Permission]],
    *,
    known: Mapping[str, Action],
    filled_in: FilledIn,
) -> Message:
    lines: list[str] = []
    for action in named:
        lines += [*_action_lines(action, filled_in), *_related_lines(action, known)]
        lines += map(permission_sentence, may.get(action.api, ()))
    others = dict.fromkeys(action.words for action in family if action not in named)
    if others:
        lines.append(f"To {code(topic, 80)} belong, too: {', '.join(map(code, others))}.")
    return arrange(lines)


def _overview(
    actions: Sequence[Action],
    may: Mapping[str, Sequence[Permission]],
    *before: str,
    targets: Mapping[str, str] = _NO_TARGETS,
) -> Message:
    """List an example of each action; what each does is in the blocks, which hold more text."""
    long = [*before, *([_LEGEND] if may else [])]
    short = [*long]
    for effect, title in EFFECT_LABELS.items():
        found = [action for action in actions if action.effect is effect]
        if found:
            long.append(f"*{title}*")
            short.append(f"*{title}*")
        for action in found:
            line = f"{code(example(action))}{_mark(may.get(action.api, ()))}"
            long.append(f"{line} {_first_sentence(action.does)}")
            short.append(line)
    more = [*_MORE, *targets_line(targets)]
    text = truncate("\n".join([*short, *more]), TEXT_MOST)
    return Message(text, arrange([*long, *more]).blocks)


def _mark(permissions: Sequence[Permission]) -> str:
    return " ✓" if any(one.approval is not None for one in permissions) else ""


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


def _example(action: Action, filled_in: FilledIn) -> str:
    return code(example(action, filled_in=filled_in(action)), 300)


def _action_lines(action: Action, filled_in: FilledIn) -> list[str]:
    lines = [
        f"*{action.plain_name}* ({action.api})",
        action.does,
        f"Example: {_example(action, filled_in)}",
    ]
    for param in action.params:
        said = "left out" in param.help
        need = "" if param.required or said else " (optional)"
        if param.default is not None:
            need = f" ({code(format_value(param.default))} if left out)"
        lines.append(f"• {code(param.word)} or {code(param.api)}: {escape(param.help)}{need}")
    if action.only:
        lines.append(f"It exists on the {action.only} site alone.")
    for site, regions in (action.regions or {}).items():
        lines.append(f"• {code('region')} on the {site} site: {', '.join(regions)}")
    twice = "may be sent twice" if action.repeatable else "is never sent twice by itself"
    lines.append(f"At most {action.per_second} a second; a request whose answer is lost {twice}.")
    if action.deprecated:
        lines.append(action.deprecated)
    return lines


def _related_lines(action: Action, known: Mapping[str, Action]) -> list[str]:
    """Return how it is undone and how its state is read, as commands."""
    related = {"To undo it": action.undo, "To check its state": action.status_read}
    return [
        f"{purpose}: {code(command_prefix(known[api]))}"
        for purpose, api in related.items()
        if api is not None and api in known
    ]
