"""Binding of words: `domain = x`, `for 2 hours` and `30m` become pairs; fillers are left out."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.catalog import stream_urls
from bot.commands import secrets
from bot.commands.actions import longer_action
from bot.commands.context import Context
from bot.commands.decoration import holds_mention, is_filler, joined_durations, undecorated
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import EVERYTHING
from bot.commands.offers import SAME_WAY, in_place, offering
from bot.commands.parsed import ParsedArguments
from bot.commands.places import is_host
from bot.commands.sentences import WORDS
from bot.commands.tokens import BINDS, Token, is_plain
from bot.commands.unread_times import is_hour
from bot.commands.vocabulary import COMMON_NAMES
from bot.model.actions import Action, Param
from bot.times import is_duration

_ENCODERS = ("ffmpeg", "ffmpeg.exe", "gst-launch-1.0")
_LABELS = frozenset(
    {"server", "url", "key", "stream", "streamkey", "stream-key", "stream_key"}
    | {"fms", "rtmp", "obs", "push", "name", "streamname", "stream-name", "stream_name"}
    | {"串流密钥", "串流金鑰", "推流密钥", "推流码", "推流地址", "流名称", "服务器", "伺服器"}
)
"""What encoders call the server and the key of a push."""

_KEY = re.compile(r"[?0-9]|[^\W_][-_.][^\W_]")
# Without a unit or after `until`, these are as likely a time as a name.
_TIME_OF_DAY = re.compile(
    r"[0-9]{1,3}(?:[.,:h][0-9]*)?(?:am|pm|uhr)?|[0-9]{4}-[0-9]{2}-[0-9]{2}\S*", re.IGNORECASE
)


def bind_words(
    context: Context, action: Action, tokens: Sequence[Token], base: ParsedArguments
) -> list[Token]:
    """Return the tokens after a kind as words and pairs, without the fillers of a sentence.

    An action with a secret parameter is left as it is: a key may stand anywhere.

    Args:
        base: The arguments of a target that was named in place of the kind.

    Raises:
        CommandError: Only a filler is left to be the name.
    """
    if secrets.takes_secret(action) or (len(tokens) == 1 and _is_alone(tokens[0])):
        return list(tokens)
    longer = longer_action(action, context.vocabulary)
    both = (action,) if longer is None else (action, longer)
    names = _COMMON if action.regions is not None else _COMMON - {"region"}
    names = names.union(*(one.params_by_name for one in both))
    times = [p for one in both for p in one.params if p.type.max_days_ahead is not None]
    until = _UNTIL if len(times) == 1 else frozenset[str]()
    named = names | until
    joined = _with_keys(context, joined_durations(_of_command_line(tokens)), named)
    joined = _without_prepositions(_without_sign(joined), named)
    bound = [
        _ending(context, token, times[0]) if token.name.casefold() in until else token
        for token in _bound(joined, named)
    ]
    kept = [token for token in bound if not is_filler(token)]
    _require_name(context, action, bound, kept, base)
    return _with_times(context, action, kept, times, base)


def _ending(context: Context, token: Token, time: Param) -> Token:
    """Return `until TIME` as the pair that it stands for.

    Raises:
        CommandError: It may be a length of time, or an hour of the day.
    """
    value = undecorated(token.value)
    if not (is_hour(value) and is_duration(value)):
        return replace(token, name=time.word)
    error = context.error(
        f'"{printable(token.name)} {value}" may be an hour of the day or a length of time: write '
        f"{time.word}={value} for the length, or until and a time like 2026-12-31T10:00Z.",
        token,
    )
    raise offering(error, in_place(context, replace(token, name=time.word), (value,)))


def _is_alone(token: Token) -> bool:
    """Return whether a token stays as it is where no other one is typed."""
    return (
        not (token.name or token.quoted or is_duration(token.value))
        and is_plain(token.value)
        and not is_filler(token)
    )


_COMMON = frozenset(COMMON_NAMES)

_UNTIL = frozenset({"until", "till", "til"})
"""Words before the end of something that has one."""

_PREPOSITIONS = frozenset({"on", "at", "from", "in", "of", "via", "with"})


def _without_sign(tokens: list[Token]) -> list[Token]:
    """Return the tokens without a sign between the kind and what follows it: `live = x`."""
    first = tokens[0] if tokens else None
    is_sign = first is not None and not (first.name or first.quoted or first.value.strip(BINDS))
    return tokens[1:] if is_sign else tokens


def _without_prepositions(tokens: list[Token], names: frozenset[str]) -> list[Token]:
    """Return the tokens without `on` and its like after a name and before a host or a pair."""
    kept: list[Token] = []
    for token, following in itertools.zip_longest(tokens, tokens[1:]):
        word = "" if token.name or token.quoted else undecorated(token.value).casefold()
        is_place = following is not None and (
            bool(following.name)
            or _is_name(following, names)
            or is_host(undecorated(following.value))
        )
        if not (kept and is_place and word in _PREPOSITIONS):
            kept.append(token)
    return kept


def bind_names(tokens: Sequence[Token], names: frozenset[str]) -> list[Token]:
    """Return the tokens with each of these names and the word after it as a pair."""
    return _bound(joined_durations(tokens), names)


def _of_command_line(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the address that an encoder's command line pushes to; other tokens unchanged."""
    program = undecorated(tokens[0].value).casefold() if tokens else ""
    if re.split(r"[/\\]", program)[-1] not in _ENCODERS:
        return tokens
    urls = [replace(token, name="") for token in tokens if secrets.is_url(token.value)]
    return urls[-1:] or tokens


def _with_keys(context: Context, tokens: Sequence[Token], names: frozenset[str]) -> list[Token]:
    """Return the tokens with an encoder's server and the key after it as one URL.

    Raises:
        CommandError: The word after a server may be its key, or a word of the sentence.
    """
    found: list[Token] = []
    labelled = [one.start for one in tokens if _is_label(one)]
    for token in _without_labels(list(tokens)):
        last = found[-1] if found else None
        url = ""
        if last is not None and not (last.quoted or token.name):
            key = token.value if token.quoted else undecorated(token.value)
            url = stream_urls.with_key(undecorated(last.value), key)
        if last is None or not url or _is_of_sentence(token, names):
            found.append(token)
            continue
        is_labelled = any(last.end <= at <= token.start for at in labelled)
        if not (is_labelled or _is_key(context, last, token)):
            is_end = token.end == tokens[-1].end
            raise _unclear_key(context, last, token, url if is_end else "")
        found[-1] = replace(last, value=url, end=token.end)
    return found


def _is_of_sentence(token: Token, names: frozenset[str]) -> bool:
    """Return whether the word after a server is no key: a name, a time or a word of a sentence."""
    if token.quoted:
        return False
    word = undecorated(token.value).rstrip(BINDS).casefold()
    if is_filler(token) or is_duration(word) or is_host(word) or holds_mention(token.value):
        return True
    return any(word in known for known in (names, _PREPOSITIONS, EVERYTHING, WORDS))


def _is_key(context: Context, server: Token, token: Token) -> bool:
    """Return whether a word has what keys have, and is no rest of an address that was cut."""
    ends = undecorated(server.value).endswith("/")
    if token.quoted or not (ends or "\n" not in context.text[server.end : token.start]):
        return token.quoted
    is_time = _TIME_OF_DAY.fullmatch(undecorated(token.value)) is not None
    return not is_time and _KEY.search(token.value) is not None


def _unclear_key(context: Context, server: Token, token: Token, url: str) -> CommandError:
    """Return the error of a word after a server that may be its key, or a word.

    Args:
        url: What is offered; nothing if empty.
    """
    what = "The address may have been cut at the line break"
    if "\n" not in context.text[server.end : token.start]:
        what = "This may be the name after the address, or a word"
    error = context.error(
        f'{what}: write the address and its stream in one, or "key" before the name.', token
    )
    # Without the slash, an address of two parts may hold the name already.
    is_server = url and undecorated(server.value).endswith("/")
    before, after = context.text[: server.start], context.text[token.end :]
    return offering(error, [f"{SAME_WAY}{before}{url}{after}"] if is_server else [])


def _without_labels(tokens: list[Token]) -> list[Token]:
    """Return the tokens without what stands before an encoder's server, and before its key."""
    if not any(stream_urls.with_key(undecorated(one.value), "x") for one in tokens):
        return tokens
    bare = [
        replace(one, name="") if one.value and one.name.casefold() in _LABELS else one
        for one in tokens
    ]
    return [
        one
        for one in bare
        if one.name or one.quoted or undecorated(one.value).rstrip(BINDS).casefold() not in _LABELS
    ]


def _bound(tokens: Iterable[Token], names: frozenset[str]) -> list[Token]:
    """Return the tokens with each name and the word after it as a pair."""
    found: list[Token] = []
    name: Token | None = None
    for token in (_with_padding(token, names) for token in tokens):
        if name is None or token.name:
            found += [] if name is None else [name]
            name = token if _is_name(token, names) else None
            found += [] if name is not None else [token]
        elif token.quoted or token.value.strip(BINDS):
            found.append(_pair(name, token))
            name = None
    return found if name is None else [*found, name]


def _with_padding(token: Token, names: frozenset[str]) -> Token:
    """Return a name in base64 that ends with a `=` as a bare word; any other token unchanged."""
    is_padded = not (token.value or token.quoted) and (len(token.name) + 1) % 4 == 0
    if not is_padded or not token.name or token.name.casefold() in names:
        return token
    if token.end == token.value_start and token.end == token.name_start + len(token.name):
        # A flag, which has no `=`.
        return token
    return Token("", f"{token.name}=", token.start, token.end, token.start, token.name_start)


def _is_label(token: Token) -> bool:
    word = token.name or undecorated(token.value).rstrip(BINDS)
    return (bool(token.name) or not token.quoted) and word.casefold() in _LABELS - {"server", "url"}


def _is_name(token: Token, names: frozenset[str]) -> bool:
    if token.quoted:
        return False
    if token.name:
        return not token.value and token.name.casefold() in names
    return token.value.rstrip(BINDS).casefold() in names


def _pair(name: Token, value: Token) -> Token:
    return replace(
        value,
        name=(name.name or name.value.rstrip(BINDS)),
        value=value.value if value.quoted else value.value.lstrip(BINDS),
        start=name.start,
        name_start=name.name_start if name.name else name.start,
    )


def _require_name(
    context: Context,
    action: Action,
    tokens: Sequence[Token],
    kept: Sequence[Token],
    base: ParsedArguments,
) -> None:
    key = action.effect_spec.key
    if len(tokens) == len(kept) or not key or _is_named(action, kept, base):
        return
    if any(not token.name for token in kept):
        return
    filler = next(token for token in tokens if is_filler(token))
    word = printable(undecorated(filler.value))
    raise context.error(
        f'"{word}" looks like a word of the sentence; if it is the name, quote it: "{word}".',
        filler,
    )


def _is_named(action: Action, tokens: Iterable[Token], base: ParsedArguments) -> bool:
    """Return whether the first part of what the action is about is given by name or target."""
    first = action.param(next(iter(action.effect_spec.key), ""))
    if first is None or first.api in base.values:
        return True
    return any(token.name and action.param(token.name) is first for token in tokens)


def _with_times(
    context: Context,
    action: Action,
    tokens: list[Token],
    times: Sequence[Param],
    base: ParsedArguments,
) -> list[Token]:
    """Return the tokens with a bare length of time as the pair that it stands for.

    Raises:
        CommandError: Only a length of time is left to be the name.
    """
    if len(times) != 1:
        return tokens
    bare = [token for token in tokens if not token.name]
    if not _is_named(action, tokens, base) and bare and all(map(_is_bare_time, bare)):
        word = printable(undecorated(bare[0].value))
        raise context.error(
            f'"{word}" looks like a length of time; if it is the name, quote it: "{word}".',
            bare[0],
        )
    if any(t.name.casefold() in (p.word, p.api.casefold()) for t in tokens for p in times):
        return tokens
    return [
        replace(token, name=times[0].word, name_start=token.start)
        if _is_bare_time(token)
        else token
        for token in tokens
    ]


def _is_bare_time(token: Token) -> bool:
    return not (token.name or token.quoted) and is_duration(undecorated(token.value))
