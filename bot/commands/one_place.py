"""A name or an address is in one place: a domain or a path after its `?` is never left out."""

from collections.abc import Mapping

from bot.commands.context import Context
from bot.commands.decoration import undecorated
from bot.commands.diagnostics import printable
from bot.commands.formatting import quoted
from bot.commands.offers import in_place, offering
from bot.commands.queries import places_of
from bot.commands.tokens import Token
from bot.redact import redact


def require_one_place(context: Context, token: Token, own: Mapping[str, str]) -> None:
    """Refuse a name or an address whose query names a domain or a path that would be left out.

    Args:
        own: The domain and the path that an address itself names, by the words for them.
    """
    name, _, query = token.value.partition("?")
    if token.quoted and redact(token.value) == token.value:
        # Nothing of it is left out.
        return
    named = places_of(query) if query else {}
    others = {word: one for word, one in named.items() if one.casefold() != own.get(word, "")}
    if not others:
        return
    pairs = " ".join(f"{word}={quoted(printable(one))}" for word, one in others.items())
    if own:
        raise context.error(
            f"This address names one place and {pairs} after it: write the name of the stream, "
            "then domain=DOMAIN and app=PATH.",
            token,
        )
    name = undecorated(name)
    error = context.error(
        f'After the "?" of this name stands {pairs}: write it as a word of its own.', token
    )
    raise offering(error, in_place(context, token, (name,), f" {pairs}") if name else ())
