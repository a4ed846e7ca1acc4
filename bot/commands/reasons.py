"""The reasons of the policy in commands: a code is typed, and Tencent's `Reason` follows; pure."""

from collections.abc import Collection
from dataclasses import replace

from bot.commands.context import Context
from bot.commands.decoration import undecorated
from bot.commands.diagnostics import printable
from bot.commands.suggestions import unknown_word
from bot.commands.tokens import Token, value_only
from bot.commands.vocabulary import REASON, Vocabulary
from bot.model.commands import Command

_MOST_NAMED = 20


def read_reason(context: Context, token: Token) -> str:
    """Return the code of a reason that the policy contains."""
    reasons = context.vocabulary.reasons
    code = (token.value if token.quoted else undecorated(token.value)).casefold()
    if code in reasons:
        return code
    raise unknown_word(
        context,
        f'The policy has no reason "{printable(token.value)}"',
        f"; it has {listed(reasons)}.",
        value_only(token),
        code,
        known=[*reasons],
    )


def listed(codes: Collection[str]) -> str:
    """Return the codes of reasons in a sentence."""
    named = ", ".join(list(codes)[:_MOST_NAMED])
    more = len(codes) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def with_reason(command: Command, code: str, vocabulary: Vocabulary) -> Command:
    """Return a command for a reason of the policy; without one where the policy has no such code.

    The reason's text is sent where the API takes a `Reason`, and nowhere else.
    """
    found = vocabulary.reasons.get(code) if command.action.takes_reason else None
    if found is None:
        return replace(command, reason="") if command.reason else command
    if command.action.param(REASON) is None:
        return replace(command, reason=code)
    return replace(command, reason=code, params={**command.params, REASON: found.sent})
