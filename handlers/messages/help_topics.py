"""Help on topics that are no action: dry runs, the audit search, the policy's targets; pure."""

import re
from collections.abc import Mapping, Sequence

from bot.model.actions import Action, Effect
from bot.redact import redact
from handlers.messages.mrkdwn import code

_MOST_NAMED, _MOST_LISTED = 20, 60

_DRY_RUN = (
    "*Dry run*",
    "`--dry-run` on any command shows you alone what would be sent; nothing is sent.",
    "It says which rule lets it pass, and who would have to agree.",
    "Example: `/stopstream live stream1 --dry-run`. A form cannot be a dry run.",
)
_AUDIT = (
    "*Audit*",
    "`/stopstream audit since=24h` lists what was asked and what became of it.",
    "It takes `since=7d`, `user=me` or `user=alice`, `action=ban`,",
    "`target=stream1` or `target=prod-*`,",
    "`ending=denied`, `case=INC-42` and `account=europe`, each once and each if you like.",
)
_WHOAMI = (
    "*Whoami*",
    "`/stopstream whoami` says which roles you have and what you may do here.",
)
_OFF = (
    "*Off*",
    "`/stopstream off` lists what was stopped and is not yet on again, and what is held.",
)
_FORM = ("*Form*", "`/stopstream` or `/startstream` alone opens a form.")
_CASE = (
    "*Case*",
    "Any action takes `case=INC-42`, the incident that it belongs to; else it is the channel's.",
    "`/stopstream audit case=INC-42` lists what belongs to it.",
)
_REASON = (
    "*Reason*",
    "Where the policy has reasons, `reason=CODE` says why: it is on the card and the audit trail.",
    "A code that doesn't exist is answered with those that do; the form and the buttons list them.",
)
_ACCOUNT = (
    "*Account*",
    "Where there are several cloud accounts, `account=europe` names one.",
    "Without it, the channel's is meant, or the policy's default.",
)
_TOPICS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("dry-run", "dryrun", "dry_run"), _DRY_RUN),
    "audit": _AUDIT,
    "off": _OFF,
    "whoami": _WHOAMI,
    "form": _FORM,
    "case": _CASE,
    "reason": _REASON,
    "account": _ACCOUNT,
}
_VERBS = ("stop", "start", "status")
_BEGINNINGS: Mapping[Effect, str] = {
    Effect.STOP: "/stopstream",
    Effect.START: "/startstream",
    Effect.READ: "/stopstream status",
}


def topic_lines(topic: str, targets: Mapping[str, str], actions: Sequence[Action]) -> list[str]:
    """Explain a topic or a target; empty if it is neither."""
    folded = topic.casefold()
    if folded in _TOPICS:
        return [*_TOPICS[folded]]
    if folded in ("target", "targets"):
        return _target_list(targets, actions)
    same = [name for name in targets if name.casefold() == folded]
    name = topic if topic in targets else (same or [""])[0]
    return _target_lines(name, targets[name], actions) if name else []


def targets_line(targets: Mapping[str, str]) -> list[str]:
    """List the names of the targets in a line; empty if the policy has none."""
    if not targets:
        return []
    names = ", ".join(map(code, list(targets)[:_MOST_NAMED]))
    more = f" and {len(targets) - _MOST_NAMED} more" if len(targets) > _MOST_NAMED else ""
    return [f"Targets of the policy: {names}{more}; `/stopstream help targets` says what they are."]


def _target_list(targets: Mapping[str, str], actions: Sequence[Action]) -> list[str]:
    if not targets:
        return ["The policy names no targets: names of your own for a stream or a task."]
    listed = list(targets.items())[:_MOST_LISTED]
    lines = [f"• {code(name)}: {_means(text, actions)}" for name, text in listed]
    more = len(targets) - len(listed)
    return ["*Targets of the policy*", *lines, *([f"{more} more are left out."] if more else [])]


def _target_lines(name: str, text: str, actions: Sequence[Action]) -> list[str]:
    kind = _kind(text)
    effects = {action.effect for action in actions if kind.casefold() in _kind_names(action)}
    ways = [code(f"{begin} {name}") for effect, begin in _BEGINNINGS.items() if effect in effects]
    return [
        f"*{code(name)}*",
        f"A target of the policy: it stands for {_means(text, actions)}.",
        f"Type it in place of these words: {' or '.join(ways) or code(f'/stopstream {name}')}.",
        f"{code(f'/stopstream help {kind}')} explains the kind.",
    ]


def _kind_names(action: Action) -> tuple[str, str]:
    return action.words, action.api.casefold()


def _kind(text: str) -> str:
    words = text.split()
    first = next((word for word in words if word.casefold() not in _VERBS), "")
    return redact(first)


def _means(text: str, actions: Sequence[Action]) -> str:
    """Quote the command that a target stands for; its kind alone if that takes secrets."""
    kind = _kind(text).casefold()
    found = [action for action in actions if kind in _kind_names(action)]
    if any(action.secret_params for action in found):
        return code(f"{kind} …")
    return code(redact(text), 200)


# A command and the word after it; Slack offers no slash commands in threads.
_COMMAND = re.compile(r"/(?P<verb>stop|start)stream (?P<word>[A-Za-z-]+)")
_VERBLESS = frozenset({"status", "help", "whoami", "audit", "off", "watch", "unwatch"})


def as_mentions(text: str) -> str:
    """Return a text with its slash commands as mentions of the bot, as threads need."""
    return _COMMAND.sub(_as_mention, text)


def _as_mention(found: re.Match[str]) -> str:
    word = found["word"]
    # These words take no verb, and the name of an API implies it.
    if word in _VERBLESS or word[:1].isupper():
        return f"@stopstream {word}"
    return f"@stopstream {found['verb']} {word}"
