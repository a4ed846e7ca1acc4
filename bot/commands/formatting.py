"""Commands as text: what is formatted here parses back to the same command."""

import re
from collections.abc import Collection
from urllib.parse import unquote

from bot.commands.decoration import FILLERS, holds_mention, holds_several, is_unclear, undecorated
from bot.commands.tokens import QUOTES
from bot.commands.vocabulary import REASON
from bot.model.actions import DEFAULT, Action, Effect, Json, Site
from bot.model.commands import Command
from bot.redact import HIDDEN
from bot.times import is_duration

_BARE = re.compile(rf"[^\s<&`»{''.join(QUOTES)}][^\s<&`]*")
# A quoted piece; it ends after what `unescape` would take for the beginning of a link or an escape.
_PIECE = re.compile(r'["”]+|(?:[^"”<&]|&(?!(?:amp|lt|gt);))+[<&]?|[<&]')

LABEL = re.compile(r"[^\W\d][\w-]*[:\uff1a](?!//)")
"""What may be a label at the beginning of a word: `stream:stream1`."""

EVERYTHING = frozenset(
    """
    all any anything each every everybody everyone everything alle alles jeder todo todos toda todas
    tout tous toute toutes все всё всех 全部 所有 一切 全て すべて 全員 모두 전체
    """.split()  # noqa: SIM905
)
"""Words for all of a sort, which name none of it unless they are quoted."""


def quoted(value: str) -> str:
    """Return a value, quoted so that it parses to itself, with or without Slack's escapes."""
    if _BARE.fullmatch(value) and is_plain(value):
        return value
    pieces = _PIECE.findall(value)
    return "".join(f"'{one}'" if one[0] in '"”' else f'"{one}"' for one in pieces) or '""'


def as_typed(name: str) -> str:
    """Return an unquoted name as a text, in which what may be no name is asked about again."""
    return name if LABEL.match(name) or name.casefold() in EVERYTHING else quoted(name)


def is_plain(value: str) -> bool:
    """Return whether an unquoted value is read as it is, wherever it stands."""
    if undecorated(value) != value or is_unclear(value):
        return False
    if holds_several(value) or holds_mention(value):
        return False
    # A path, or a domain after the name, is asked about.
    if any(sign in value for sign in "?\\@"):
        return False
    name = value
    if "://" in value:
        name = unquote(value.partition("?")[0].rpartition("/")[2])
    if LABEL.match(name) or (name and is_unclear(name)):
        return False
    folded = value.casefold()
    return not (folded in FILLERS or folded in EVERYTHING or is_duration(value))


def format_command(command: Command) -> str:
    """Return a command as text that parses to the same command; secret values are hidden."""
    words = [command.action.api]
    for param in command.action.params:
        value = command.params.get(param.api)
        # Of a reason of the policy, the code is typed and the text is sent.
        if value is not None and not (command.reason and param.api == REASON):
            words.append(f"{param.api}={HIDDEN if param.secret else quoted(_format_value(value))}")
    if command.region:
        words.append(f"Region={command.region}")
    if command.account != DEFAULT:
        words.append(f"Account={quoted(command.account)}")
    if command.reason:
        words.append(f"{REASON}={command.reason}")
    return " ".join(words)


def _format_value(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def example(action: Action, site: Site | None = None, filled_in: Collection[str] = ()) -> str:
    """Return a command to paste, with a made-up value for each required parameter.

    Its region is one of the site, by default of the product's own site.

    Args:
        filled_in: Parameters that the policy fills in, by Tencent's names.
    """
    site = site or action.product.site
    values: list[str] = []
    for param in action.params:
        needed = param.required and param.default is None and param.api not in filled_in
        if needed and param.only in (None, site):
            value = param.example or param.type.example or f"{param.word}1"
            values.append(f"{param.word}={value}" if values else value)
    regions = (action.regions or {}).get(site, ())
    values += [f"region={regions[-1]}"] if regions else []
    return " ".join([command_prefix(action), *values])


def command_prefix(action: Action) -> str:
    """Return the first words of a command for an action, e.g. `/stopstream live`."""
    match action.effect:
        case Effect.START:
            return f"/startstream {action.words}"
        case Effect.READ:
            return f"/stopstream status {action.words}"
        case Effect.CHANGE:
            # A change has no verb of its own, so it is called by its API name.
            return f"/stopstream {action.words if action.product.local else action.api}"
        case Effect.STOP:
            return f"/stopstream {action.words}"
