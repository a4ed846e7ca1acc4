"""Text in, command out: pure, and every mistake is one sentence with its place."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bot import links
from bot.errors import ParseError
from bot.kinds import duration
from bot.model import Action, Command, Effect, Json, Param, Site
from bot.redact import redact
from bot.scan import Token, plain, scan

LONGEST = 4000
"""Characters of a text that is read at all."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be said: the catalog and what the policy file adds to it.

    Attributes:
        defaults: By API name, words or product name: values as text or number that fill
            what the command leaves out, by Tencent's parameter names, `Region` included.
            The API's own entry wins over the words', the words' over the product's.
        targets: Names that people say, and the command text each stands for.
        region: Filled in last where an action needs a region.
        sites: The site of each product, by product name.
    """

    actions: tuple[Action, ...]
    defaults: Mapping[str, Mapping[str, str | int | bool]]
    targets: Mapping[str, str]
    region: str
    sites: Mapping[str, Site]


@dataclass(frozen=True, slots=True)
class Help:
    """They want help, on one kind or API (`topic`) or on all (empty)."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """They said nothing: show a form for the verb."""

    verb: Effect


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """They want to know their roles and rights."""


@dataclass(frozen=True, slots=True)
class Audit:
    """They want to read the trail of the last `since` seconds."""

    since: float = 86_400.0


Wanted: TypeAlias = "Command | Help | Form | WhoAmI | Audit"

_VERBS = {"stop": Effect.STOP, "start": Effect.START, "status": Effect.READ}
_COMMANDS = {"/stopstream": Effect.STOP, "/startstream": Effect.START}
_ASIDES = ("help", "whoami", "audit", "status")


def parse(text: str, *, verb: Effect | None, vocabulary: Vocabulary, now: float) -> Wanted:
    """Read a text.

    Args:
        text: As typed, Slack's escapes and all.
        verb: What the way in implies; None where the text must say it.
        now: Epoch seconds, for times like `for=7d`.

    Raises:
        ParseError: It is not a command; positions are those of its own `text`, which holds
            no stream keys.
    """
    shown = plain(text)
    if len(shown) > LONGEST:
        start = redact(shown[:80])
        raise ParseError(
            f"That is longer than {LONGEST} characters.", text=start, start=0, end=len(start)
        )
    try:
        return _Reader(shown, vocabulary, now).read(scan(shown), verb)
    except ParseError as error:
        raise _without_secrets(error) from None


@dataclass(slots=True)
class _Reader:
    text: str
    vocabulary: Vocabulary
    now: float
    used: dict[str, Token] = field(default_factory=dict[str, Token])
    linked: dict[str, Json] = field(default_factory=dict[str, Json])
    """What an address said: what is typed beside it must agree."""

    def read(self, tokens: list[Token], verb: Effect | None) -> Wanted:
        tokens, verb = self._verb(tokens, verb)
        if not tokens:
            return Form(verb) if verb in (Effect.STOP, Effect.START) else Help()
        first = tokens[0]
        word = first.value.casefold() if not first.name else ""
        match word:
            case "help" | "-h" | "?" if verb is not Effect.READ:
                return Help(" ".join(token.value for token in tokens[1:])[:64])
            case "whoami" if len(tokens) == 1:
                return WhoAmI()
            case "audit":
                return self._audit(tokens[1:])
            case _:
                return self._command(tokens, verb)

    def _verb(self, tokens: list[Token], verb: Effect | None) -> tuple[list[Token], Effect | None]:
        while tokens and not tokens[0].name:
            word = tokens[0].value.casefold()
            said = _VERBS.get(word) or _COMMANDS.get(word)
            if said is None:
                return tokens, verb
            if verb in (Effect.STOP, Effect.START) and said not in (verb, Effect.READ):
                raise self._wrong(
                    f"This is the command that {verb.value}s. "
                    f"Use /{said.value}stream to {said.value} something.",
                    tokens[0],
                )
            if verb is Effect.READ:
                return tokens, verb
            tokens, verb = tokens[1:], said
        return tokens, verb

    def _audit(self, tokens: list[Token]) -> Audit:
        since = Audit().since
        for token in tokens:
            if token.name.casefold() != "since":
                raise self._wrong("The audit takes since=…, for example since=24h.", token)
            try:
                since = duration(token.value)
            except ValueError as error:
                problem = f'"{token.value}" is no length of time: {error}.'
                raise self._wrong(problem, token) from None
        return Audit(since)

    # --- commands ------------------------------------------------------------------

    def _command(self, tokens: list[Token], verb: Effect | None) -> Command:
        first = tokens[0]
        if first.name:
            raise self._wrong("Say first what it is about, for example live.", first)
        target = self.vocabulary.targets.get(first.value)
        if target is not None:
            return self._target(target, first, tokens[1:], verb)
        action = self._action(first, verb)
        return self._finish(action, *self._typed(action, tokens[1:]), first)

    def _target(self, target: str, name: Token, more: list[Token], verb: Effect | None) -> Command:
        """Read a target's text in the place of its name; what is typed after it wins."""
        inner = _Reader(plain(target), self.vocabulary, self.now)
        words = scan(inner.text)
        words, own = inner._verb(words, None)
        kind = words[0].value if words else ""
        wanted = verb if verb in (Effect.START, Effect.READ) else own or verb
        action = self._find(kind, wanted)
        if action is None:
            raise self._wrong(f'The target "{name.value}" cannot be used for this.', name)
        base, base_region = inner._typed(action, words[1:])
        typed, region = self._typed(action, more)
        return self._finish(action, base | typed, region or base_region, name)

    def _action(self, token: Token, verb: Effect | None) -> Action:
        found = self._find(token.value, verb)
        if found is not None:
            return found
        if verb is None and any(a.words == token.value.casefold() for a in self._all()):
            raise self._wrong(
                f'Say what to do with it: "stop {token.value} …", "start {token.value} …" or '
                f'"status {token.value} …".',
                token,
            )
        if links.looks_like_one(token.value):
            raise self._wrong(
                "Say first what to do with this stream: live cuts it, ban keeps it off.", token
            )
        spoken = [a.words for a in self._all() if verb in (None, a.effect)]
        known = [*spoken, *self.vocabulary.targets, *_ASIDES, *(a.api for a in self._all())]
        kinds = ", ".join(dict.fromkeys(spoken)) or "help"
        raise self._unknown(f'There is no "{token.value}" here; there is {kinds}.', token, known)

    def _find(self, word: str, verb: Effect | None) -> Action | None:
        folded = word.casefold()
        for action in self._all():
            if action.api.casefold() == folded:
                return action
        for action in self._all():
            if action.words == folded and action.effect is verb:
                return action
        if verb is Effect.READ:
            looks = {a.look for a in self._all() if a.words == folded and a.look}
            return next((a for a in self._all() if a.api in looks), None)
        return None

    def _all(self) -> Iterable[Action]:
        return self.vocabulary.actions

    # --- parameters ----------------------------------------------------------------

    def _typed(self, action: Action, tokens: Sequence[Token]) -> tuple[dict[str, Json], str]:
        """Read what was typed after the kind: values by Tencent's names, and the region."""
        values: dict[str, Json] = {}
        region = ""
        open_ = [p for p in action.params if p.required and p.default is None]
        for token in tokens:
            name = token.name.casefold()
            if name == "region":
                region = self._region_of(action, token)
                continue
            param = self._param(action, token, open_, values)
            if param.word == "stream" and links.looks_like_one(token.value):
                self._link(action, token, values)
                continue
            target = self.vocabulary.targets.get(token.value) if not token.name else None
            if param.word == "stream" and target is not None:
                values |= self._borrowed(action, target) | values
                continue
            if param.api in self.used:
                raise self._wrong(f'"{param.word}" is given twice.', token)
            self.used[param.api] = token
            value = self._value(param, token)
            if self.linked.get(param.api, value) != value:
                raise self._wrong(
                    f"The address says {param.word}={self.linked[param.api]}, and here stands "
                    f'"{token.value}": which one?',
                    token,
                )
            values[param.api] = value
        return values, region

    def _param(
        self, action: Action, token: Token, open_: list[Param], values: Mapping[str, Json]
    ) -> Param:
        if token.name:
            param = action.param(token.name)
            if param is None:
                known = [p.word for p in action.params] + [p.api for p in action.params]
                raise self._unknown(
                    f'{action.words} takes no "{token.name}"; it takes '
                    f"{', '.join(p.word for p in action.params)}.",
                    replace(token, end=token.value_start - 1 or token.end),
                    known,
                )
            return param
        for param in open_:
            if param.api not in values and param.api not in self.used:
                return param
        raise self._wrong(f'"{token.value}" is one word too many; write it as name=value.', token)

    def _value(self, param: Param, token: Token) -> Json:
        try:
            return param.kind.read(token.value, self.now)
        except ValueError as error:
            reason = f": {error}" if str(error) else ""
            shown = "This" if param.secret else f'"{token.value}"'
            raise self._wrong(f"{shown} is not {param.kind.says}{reason}.", token) from None

    def _region_of(self, action: Action, token: Token) -> str:
        if action.regions is None:
            raise self._wrong(f"{action.api} takes no region.", token)
        self.used["Region"] = token
        return token.value.casefold()

    def _link(self, action: Action, token: Token, values: dict[str, Json]) -> None:
        """Take stream, path and, from a push address, the domain out of a URL."""
        try:
            link = links.read(token.value)
        except ValueError as error:
            raise self._wrong(f"This address names no stream: {error}.", token) from None
        found = {"stream": link.stream, "app": link.app}
        domain = action.param("domain")
        default = domain and self._default(action, domain)
        if link.side == "push" or (link.side == "unclear" and not default):
            found["domain"] = link.host
        elif domain and not default and not self._will_say("domain", token):
            raise self._wrong("A play address does not tell the push domain; add domain=… .", token)
        for word, value in found.items():
            param = action.param(word)
            if param is None:
                continue
            part = replace(token, value=value)
            read = self._value(param, part)
            if values.get(param.api, read) != read:
                raise self._wrong(
                    f"The address says {word}={value}, and {word}={values[param.api]} is given "
                    "too: which one?",
                    token,
                )
            values[param.api] = self.linked[param.api] = read

    def _will_say(self, word: str, token: Token) -> bool:
        later = [t.name.casefold() for t in scan(self.text) if t.start != token.start]
        return word in later or "domainname" in later

    def _borrowed(self, action: Action, target: str) -> dict[str, Json]:
        """Give those of a target's values that another action has, too."""
        inner = _Reader(plain(target), replace(self.vocabulary, targets={}), self.now)
        try:
            command = inner._command(*inner._verb(scan(inner.text), Effect.STOP))
        except ParseError as error:
            raise ParseError(
                f"That target is broken in the policy file: {error.sentence}",
                text=self.text,
                start=0,
                end=len(self.text),
            ) from None
        names = {param.api for param in action.params}
        return {name: value for name, value in command.params.items() if name in names}

    # --- the rest ------------------------------------------------------------------

    def _finish(self, action: Action, values: dict[str, Json], region: str, kind: Token) -> Command:
        """Fill in the defaults and see that nothing is missing."""
        site = self.vocabulary.sites.get(action.product.name, action.product.site)
        complete: dict[str, Json] = {}
        for param in action.params:
            value = values.get(param.api)
            if value is not None and param.only not in (None, site):
                raise self._wrong(f"{param.word} exists on the {param.only} site alone.", kind)
            if value is None and param.only in (None, site):
                value = self._default(action, param)
            if value is not None:
                complete[param.api] = value
            elif param.required:
                raise self._missing(action, param)
        return Command(action, complete, self._region(action, region, site, kind))

    def _default(self, action: Action, param: Param) -> Json:
        for values in self._defaults(action):
            if param.api in values:
                given = values[param.api]
                try:
                    return param.kind.read(str(given), self.now)
                except ValueError:
                    end = len(self.text)
                    raise ParseError(
                        f'The policy\'s default "{given}" for {param.api} is not '
                        f"{param.kind.says}.",
                        text=self.text,
                        start=end,
                        end=end,
                    ) from None
        return param.default

    def _defaults(self, action: Action) -> Iterable[Mapping[str, str | int | bool]]:
        for name in (action.api, action.words, action.product.name):
            if name in self.vocabulary.defaults:
                yield self.vocabulary.defaults[name]

    def _region(self, action: Action, typed: str, site: Site, kind: Token) -> str:
        if action.regions is None:
            return ""
        defaults = (values.get("Region") for values in self._defaults(action))
        region = typed or next((str(d) for d in defaults if d), "") or self.vocabulary.region
        allowed = action.regions.get(site, ())
        if region in allowed:
            return region
        offers = f"{action.api} is offered on the {site} site in {', '.join(allowed)}."
        if not region:
            raise self._wrong(f"A region is missing: add region=… . {offers}", None)
        other: Site = "mainland" if site == "intl" else "intl"
        hint = ""
        if region in action.regions.get(other, ()):
            hint = f" The {other} site has it; STOPSTREAM_TENCENT_SITE chooses."
        token = self.used.get("Region", kind)
        raise self._wrong(f'"{region}" is not a region for this. {offers}{hint}', token)

    def _missing(self, action: Action, param: Param) -> ParseError:
        return self._wrong(
            f"{param.word} is missing: {param.help}. For example: {example(action)}", None
        )

    def _unknown(self, sentence: str, token: Token, known: Iterable[str]) -> ParseError:
        word = token.name or token.value
        folded = {name.casefold(): name for name in known}
        near = difflib.get_close_matches(word.casefold()[:64], folded, n=1, cutoff=0.6)
        suggestion = folded[near[0]] if near else ""
        if suggestion:
            sentence += f' Did you mean "{suggestion}"?'
        return self._wrong(sentence, token, suggestion)

    def _wrong(self, sentence: str, token: Token | None, suggestion: str = "") -> ParseError:
        end = len(self.text)
        start, end = (token.start, min(token.end, end)) if token else (end, end)
        return ParseError(sentence, text=self.text, start=start, end=end, suggestion=suggestion)


def _without_secrets(error: ParseError) -> ParseError:
    """Take stream keys out of a mistake, keeping its place right."""
    before, meant = error.text[: error.start], error.text[error.start : error.end]
    head, middle, tail = redact(before), redact(meant), redact(error.text[error.end :])
    whole = redact(error.text)
    if head + middle + tail != whole:
        # A secret crosses the edges of the place: rather no place than a wrong one.
        return ParseError(redact(error.sentence), text=whole, start=0, end=len(whole))
    return ParseError(
        redact(error.sentence),
        text=whole,
        start=len(head),
        end=len(head) + len(middle),
        suggestion=redact(error.suggestion),
    )


# --- the way back ------------------------------------------------------------------


def example(action: Action) -> str:
    """Write a command that could be pasted, with a made-up value for each needed parameter."""
    verb = {Effect.START: "/startstream", Effect.READ: "/stopstream status"}
    words = [verb.get(action.effect, "/stopstream"), action.words]
    for param in action.params:
        if param.required and param.default is None:
            value = _MADE_UP.get(param.word, f"{param.word}1")
            words.append(value if len(words) == _BARE_AT else f"{param.word}={value}")
    if action.regions:
        words.append(f"region={next(iter(action.regions.values()))[-1]}")
    return " ".join(words)


_BARE_AT = 2
_MADE_UP = {"domain": "push.example.com", "sdkappid": "1400000000", "task": "1234"}


def spell(command: Command) -> str:
    """Write a command so that reading it gives the same command; secret values are hidden."""
    words = [command.action.api]
    for param in command.action.params:
        value = command.params.get(param.api)
        if value is not None:
            words.append(f"{param.api}={'[hidden]' if param.secret else _quoted(value)}")
    if command.region:
        words.append(f"Region={command.region}")
    return " ".join(words)


def _quoted(value: Json) -> str:
    text = str(value)
    if text and not set(text) & set(" \t\"'“”„\u2018\u2019«`<>&\u00a0\u3000"):
        return text
    return f'"{text}"' if '"' not in text and "”" not in text else f"'{text}'"


def mark(error: ParseError, width: int = 72) -> str:
    """Show the text with its mistaken part underlined, for a monospaced font."""
    text = "".join(c if c.isprintable() else "·" for c in error.text)
    first = max(0, min(error.start - width // 3, len(text) - width))
    shown = text[first : first + width]
    start = min(error.start - first, width)
    length = max(1, min(error.end, first + width) - error.start)
    return f"{shown}\n{' ' * start}{'^' * length}"
