"""What help says of all that is no action: dry runs, the audit, the policy's targets; pure."""

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
    "It takes `since=7d`, `user=@…`, `action=ban`, `target=stream1` or `target=prod-*`,",
    "`ending=denied`, `case=INC-42` and `account=…`, each once and each if you like.",
)
_WHOAMI = (
    "*Whoami*",
    "`/stopstream whoami` says which roles you have and what you may do in this channel.",
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
_ACCOUNT = (
    "*Account*",
    "Where there are several cloud accounts, `account=…` names one.",
    "Without it, the channel's is meant, or the policy's default.",
)
_TOPICS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("dry-run", "dryrun", "dry_run"), _DRY_RUN),
    "audit": _AUDIT,
    "off": _OFF,
    "whoami": _WHOAMI,
    "form": _FORM,
    "case": _CASE,
    "account": _ACCOUNT,
}
_VERBS = ("stop", "start", "status")
_BEGINNINGS: Mapping[Effect, str] = {
    Effect.STOP: "/stopstream",
    Effect.START: "/startstream",
    Effect.READ: "/stopstream status",
}


def on(topic: str, targets: Mapping[str, str], actions: Sequence[Action]) -> list[str]:
    """Explain a topic that is no action, or a target; nothing where it is neither."""
    folded = topic.casefold()
    if folded in _TOPICS:
        return [*_TOPICS[folded]]
    if folded in ("target", "targets"):
        return _listed(targets, actions)
    same = [name for name in targets if name.casefold() == folded]
    name = topic if topic in targets else (same or [""])[0]
    return _target(name, targets[name], actions) if name else []


def named(targets: Mapping[str, str]) -> list[str]:
    """Name the targets in a line; none where the policy has none."""
    if not targets:
        return []
    names = ", ".join(map(code, list(targets)[:_MOST_NAMED]))
    more = f" and {len(targets) - _MOST_NAMED} more" if len(targets) > _MOST_NAMED else ""
    return [f"Targets of the policy: {names}{more}; `/stopstream help targets` says what they are."]


def _listed(targets: Mapping[str, str], actions: Sequence[Action]) -> list[str]:
    if not targets:
        return ["The policy names no targets: names of your own for a stream or a task."]
    shown = list(targets.items())[:_MOST_LISTED]
    lines = [f"• {code(name)}: {_means(text, actions)}" for name, text in shown]
    more = len(targets) - len(shown)
    return ["*Targets of the policy*", *lines, *([f"{more} more are left out."] if more else [])]


def _target(name: str, text: str, actions: Sequence[Action]) -> list[str]:
    kind = _kind(text)
    effects = {action.effect for action in actions if kind.casefold() in _names(action)}
    ways = [code(f"{begin} {name}") for effect, begin in _BEGINNINGS.items() if effect in effects]
    return [
        f"*{code(name)}*",
        f"A target of the policy: it stands for {_means(text, actions)}.",
        f"Type it in place of these words: {' or '.join(ways) or code(f'/stopstream {name}')}.",
        f"{code(f'/stopstream help {kind}')} explains the kind.",
    ]


def _names(action: Action) -> tuple[str, str]:
    return action.words, action.api.casefold()


def _kind(text: str) -> str:
    words = text.split()
    first = next((word for word in words if word.casefold() not in _VERBS), "")
    return redact(first)


def _means(text: str, actions: Sequence[Action]) -> str:
    """Show what a target stands for; its kind alone where that takes secrets."""
    kind = _kind(text).casefold()
    found = [action for action in actions if kind in _names(action)]
    if any(param.secret for action in found for param in action.params):
        return code(f"{kind} …")
    return code(redact(text), 200)


# --- in a thread ---------------------------------------------------------------------

# A command with what follows it; Slack offers no slash commands in threads.
_COMMAND = re.compile(r"/(?P<verb>stop|start)stream (?P<word>[A-Za-z-]+)")
_ASIDES = frozenset({"status", "help", "whoami", "audit", "off"})


def in_thread(text: str) -> str:
    """Write our commands as they are typed in a thread, where the bot is mentioned instead."""
    return _COMMAND.sub(_mentioned, text)


def _mentioned(found: re.Match[str]) -> str:
    word = found["word"]
    # An aside is no verb's, and the name of an API says by itself what is done.
    if word in _ASIDES or word[:1].isupper():
        return f"@stopstream {word}"
    return f"@stopstream {found['verb']} {word}"
