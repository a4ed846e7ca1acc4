"""One command is for one name: what may be one more name, or hold more than a name, is an error."""

import re

from bot.catalog import param_types, stream_urls
from bot.commands import secrets
from bot.commands.context import Context
from bot.commands.decoration import undecorated
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import command_prefix, quoted
from bot.commands.offers import in_place, offering
from bot.commands.places import is_host
from bot.commands.several import SeveralNamesError
from bot.commands.tokens import BINDS, Token
from bot.model.actions import Action, Effect, Param


def glued(context: Context, action: Action, token: Token) -> CommandError:
    """Return the error of a value that is more than one quoted word."""
    param = action.param(token.name)
    may_be_key = param is None or param.api in action.effect_spec.key
    if may_be_key and len(token.glued) > 1 and not set(BINDS) & set(token.value):
        return one_at_a_time(context, action, token)
    return context.error(
        "Something stands right against the quotes: quote all of the value, or leave a space.",
        token,
    )


def given_twice(
    context: Context, action: Action, param: Param | None, token: Token
) -> CommandError:
    """Return the error of a second value; one of several names has ways to name each."""
    sentence = f'"{token.name}" is given twice.'
    is_name = param is not None and param.api in action.effect_spec.key[:1]
    if not is_name or secrets.takes_secret(action):
        return context.error(sentence, token)
    sentence = f'"{token.name}" is given twice: one command is for one; send one for each.'
    return SeveralNamesError(sentence, text=context.text, start=token.start, end=token.end)


_APPLICATION = re.compile("[0-9]{10}")
"""An SdkAppId, as Tencent gives it; a room or a task rarely has a number like it."""


def is_one_more(action: Action, param: Param, token: Token) -> bool:
    """Return whether a bare word is one more room or task, rather than their application."""
    if token.name or param.api != "SdkAppId" or secrets.takes_secret(action):
        return False
    return _APPLICATION.fullmatch(undecorated(token.value)) is None


def one_more_name(
    context: Context, action: Action, param: Param | None, token: Token
) -> CommandError | None:
    """Return the error of a bare word that is one more name; None if it can be a value."""
    if param is None or param.type is not param_types.hostname:
        return None
    if param.api == action.effect_spec.key[0]:
        return None
    if "." in token.value and not secrets.is_url(token.value):
        return None
    return one_at_a_time(context, action, token)


def one_at_a_time(context: Context, action: Action, token: Token) -> CommandError:
    """Return the error of several names, with the ways to name them."""
    what = action.effect_spec.resource_type.name
    domain = next((a for a in context.vocabulary.actions if a.api == "ForbidLiveDomain"), None)
    stops_streams = action.effect is Effect.STOP and action.param("domain") is not None
    whole = f" {command_prefix(domain)} switches a whole domain off." if domain else ""
    key = action.param(action.effect_spec.key[0])
    is_text = key is None or key.type.json == "string"
    way = "name, or quote a name that has a space or a comma" if is_text else "number"
    return SeveralNamesError(
        f"One command is for one {what}: send one for each {way}.{whole if stops_streams else ''}",
        text=context.text,
        start=token.start,
        end=token.end,
    )


def parted(context: Context, token: Token, value: str) -> CommandError | None:
    """Return the error of an unquoted name that holds a path or a domain; None if it holds none."""
    if secrets.is_url(value):
        return None
    value = value.partition("?")[0].removeprefix("mailto:")
    stream, _, host = value.rpartition("@")
    if stream and is_host(host):
        error = context.error(
            "This looks like a name and a domain: write the name, then domain=DOMAIN, or quote "
            "it all if it is the name.",
            token,
        )
        return offering(error, in_place(context, token, (stream,), f" domain={host}"))
    if "\\" in value or ("/" in value and not token.name):
        return _with_slash(context, token, value.replace("\\", "/"))
    return None


def _with_slash(context: Context, token: Token, value: str) -> CommandError:
    if url := stream_urls.mended(token.value):
        error = context.error("This address has lost a part: paste it whole.", token)
        return offering(error, in_place(context, token, (url,)))
    app, _, stream = value.strip("/").rpartition("/")
    is_clear = stream and printable(value) == value and not re.search("[:.]", app)
    if is_clear and not app:
        return offering(
            context.error(f'The name of a stream holds no "/": write {quoted(stream)}.', token),
            in_place(context, token, (stream,)),
        )
    way = f": write {quoted(stream)} app={quoted(app)}" if is_clear else ""
    error = context.error(f'The name of a stream holds no "/"{way}, or quote the name.', token)
    if not is_clear:
        return error
    return offering(error, in_place(context, token, (stream,), f" app={quoted(app)}"))
