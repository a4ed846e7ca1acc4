"""Text in, command out: pure, and every mistake is one sentence with its place."""

import contextlib
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from bot.catalog import effects as offair
from bot.catalog import stream_urls as links
from bot.catalog.param_types import case
from bot.commands.tokens import (
    SENTENCE_ENDS,
    Token,
    beginning,
    caret,
    example,
    format_command,
    quoted,
    redact_error,
    tokenize,
    unescape,
)
from bot.errors import ParseError
from bot.model.actions import DEFAULT, Account, Action, Effect, Json, Param, Site
from bot.model.commands import Command
from bot.model.operations import State
from bot.redact import HIDDEN, redact
from bot.times import parse_duration

__all__ = [
    "IN_SHORT",
    "LONGEST",
    "OTHER_WORDS",
    "Audit",
    "Form",
    "Help",
    "OffAir",
    "ParseResult",
    "Vocabulary",
    "WhoAmI",
    "caret",
    "example",
    "format_command",
    "parse",
]

LONGEST = 4000
"""Characters of a text that is read at all."""

_LONGEST_ESCAPED = 5 * LONGEST
_LONGEST_SHOWN = 60
_AUDIT_TAKES = (
    "The audit takes one since=24h, user=@…, action=…, target=…, ending=…, case=… and account=…, "
    "each if you like."
)
_USER = re.compile(r"@?([UW][A-Z0-9]{1,31})")
_LONGEST_LOOK_BACK = 3650 * 86_400.0


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be said: the catalog and what the policy file adds to it.

    Attributes:
        defaults: By API name, words or product name: values as text or number that fill
            what the command leaves out, by Tencent's parameter names, `Region` included.
            The API's own entry wins over the words', the words' over the product's.
        targets: Names that people say, and the command text each stands for. A kind, an API
            and the parser's own words win over a target of the same name.
        region: Filled in last where an action needs a region.
        sites: The site of each product, by product name.
        accounts: The cloud accounts that `account=` may name.
        account: The one that is meant where none is named; empty: one must be.
    """

    actions: tuple[Action, ...]
    defaults: Mapping[str, Mapping[str, str | int | bool]]
    targets: Mapping[str, str]
    region: str
    sites: Mapping[str, Site]
    accounts: Mapping[str, Account] = field(default_factory=lambda: {DEFAULT: Account()})
    account: str = ""

    def at(self, channel: str) -> "Vocabulary":
        """Give what can be said in a channel, whose account is meant where none is named."""
        here = (name for name, one in self.accounts.items() if channel in one.channels)
        account = next(here, "")
        return self.on(account) if account else self

    def on(self, account: str) -> "Vocabulary":
        """Give what can be said where an account is meant if none is named."""
        return replace(self, account=account)

    @property
    def meant(self) -> str:
        """The account where none is named; empty where that would be a guess."""
        return self.account or (next(iter(self.accounts)) if len(self.accounts) == 1 else "")

    def site(self, action: Action, account: str) -> Site:
        """Give the site that an action is sent to on an account."""
        product = action.product
        own = self._account(account).site
        return own or self.sites.get(product.name, product.site)

    def chooses_site(self, account: str) -> str:
        """Name what decides on the site: the account's entry, or the setting."""
        own = self._account(account).site is not None
        return f"accounts.{account}.site" if own else "STOPSTREAM_TENCENT_SITE"

    def defaults_for(
        self, action: Action, account: str
    ) -> Iterable[Mapping[str, str | int | bool]]:
        """Give what fills in for an action, the nearest first."""
        for defaults in (self._account(account).defaults, self.defaults):
            for name in (action.api, action.words, action.product.name):
                if name in defaults:
                    yield defaults[name]

    def region_for(self, action: Action, account: str) -> str:
        """Give the region where a command names none, as it is configured; or empty."""
        filled_in = self.defaults_for(action, account)
        of = (str(values["Region"]) for values in filled_in if "Region" in values)
        return next(of, "") or self._account(account).region or self.region

    def region_to_read(self, action: Action, account: str, near: str) -> str | None:
        """Choose the region of a read that nobody typed.

        Args:
            near: The region of what it is read for, or empty.

        Returns:
            Empty where it needs none; None where there is no telling which.
        """
        if action.regions is None:
            return ""
        offered = action.regions.get(self.site(action, account), ())
        # Where there is but one, a configured one is meant for other products.
        only = offered[0] if len(offered) == 1 else ""
        fitting = (one for one in (near, self.region_for(action, account), only) if one in offered)
        return next(fitting, None)

    def _account(self, name: str) -> Account:
        return self.accounts.get(name, _NO_ACCOUNT)


_NO_ACCOUNT = Account()


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
    """They want to know what was asked. Empty fields ask for nothing.

    Attributes:
        since: Seconds to look back.
        user: Id of who asked.
        apis: Any of these.
        target: As it is, or its beginning and a `*`.
        state: What became of it.
        case: The case it belongs to.
        account: Also one that the policy names no more.
    """

    since: float = 86_400.0
    user: str = ""
    apis: tuple[str, ...] = ()
    target: str = ""
    state: State | None = None
    case: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class OffAir:
    """They want to know what is off and not yet on, and what is held."""


ParseResult: TypeAlias = "Command | Help | Form | WhoAmI | Audit | OffAir"

_EVERYWHERE = ("region", "account", "case")
"""What a command may name beside its parameters."""

_BINDS = "=:\uff1d\uff1a"
"""What binds a name to its value, as people and phones write it."""

_VERBS = {
    "stop": Effect.STOP,
    "/stopstream": Effect.STOP,
    "start": Effect.START,
    "/startstream": Effect.START,
    "status": Effect.READ,
}
_ASIDES = ("help", "whoami", "audit", "off", "status")
_PAST = {Effect.STOP: "stopped", Effect.START: "started"}

_LIFT, _CUT, _BAN, _PAUSE = (
    "ResumeLiveStream",
    "DropLiveStream",
    "ForbidLiveStream",
    "UpdateStreamIngest",
)
OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("unban", "unblock", "unforbid", "allow", "lift", "restart"), (_LIFT,)),
    **dict.fromkeys(("resume", "unpause", "continue"), (_LIFT, _PAUSE)),
    **dict.fromkeys(("drop", "kill", "cut", "disconnect"), (_CUT,)),
    **dict.fromkeys(("block", "forbid", "blacklist"), (_BAN,)),
    "unpad": ("StopLivePadStream",),
    "undelay": ("ResumeDelayLiveStream",),
    "unhold": ("Release",),
    "enable": ("EnableLiveDomain",),
    "disable": ("ForbidLiveDomain",),
}
"""What people type that is no kind: the names of the APIs that do what it means."""

IN_SHORT: Mapping[str, str] = {
    _LIFT: "lifts a ban",
    _CUT: "cuts a live stream",
    _BAN: "cuts a stream and keeps it off",
    _PAUSE: "paused=no lets what is paused go on",
    "StopLivePadStream": "takes the pad away",
    "ResumeDelayLiveStream": "takes the delay away",
    "EnableLiveDomain": "switches a domain on",
    "ForbidLiveDomain": "switches a domain off",
    "Release": "ends a hold",
}
"""What they do: completes their command."""

_UN = re.compile("un", re.IGNORECASE)
_DIRECTION = re.compile(
    "(?P<start>un|start|restart|resume|enable|allow|add|create)"
    "|(?P<stop>stop|drop|forbid|disable|dismiss|ban|block|kill|cut|delete|destroy|remove)",
    re.IGNORECASE,
)
"""How a word begins that says which way it goes, whatever follows."""


def parse(text: str, *, verb: Effect | None, vocabulary: Vocabulary, now: float) -> ParseResult:
    """Read a text.

    Args:
        text: As typed, Slack's escapes and all, without a leading mention of the bot.
        verb: What the way in implies; None where the text must say it.
        now: Epoch seconds, for times like `for=7d`.

    Raises:
        ParseError: It is not a command; positions are those of its own `text`, which holds
            no stream keys.
    """
    # What Slack escapes grows to five times its length at most.
    shown = unescape(text[: _LONGEST_ESCAPED + 1])
    if len(text) > _LONGEST_ESCAPED or len(shown) > LONGEST:
        start = redact(shown[:LONGEST])[:80]
        raise ParseError(
            f"That is longer than {LONGEST} characters.", text=start, start=0, end=len(start)
        )
    reader = _Reader(shown, vocabulary, now)
    try:
        return reader.read(verb)
    except ParseError as error:
        mistake = redact_error(error, reader.hidden, reader.ours)
    # Raised here, so that the one with the keys does not hang on as its context.
    raise mistake


@dataclass(frozen=True, slots=True)
class _Said:
    """What a text says for an action, before any default; values by Tencent's names."""

    values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    region: str = ""
    account: str = ""
    case: str = ""
    spans: Mapping[str, float] = field(default_factory=dict[str, float])

    def over(self, other: "_Said") -> "_Said":
        return _Said(
            {**other.values, **self.values},
            self.region or other.region,
            self.account or other.account,
            self.case or other.case,
            {n: s for n, s in other.spans.items() if n not in self.values} | dict(self.spans),
        )

    def as_far_as(self, action: Action) -> "_Said":
        names = {param.api for param in action.params}
        values = {name: value for name, value in self.values.items() if name in names}
        region = self.region if action.regions is not None else ""
        spans = {name: span for name, span in self.spans.items() if name in names}
        return _Said(values, region, self.account, self.case, spans)


@dataclass(slots=True)
class _Reader:
    """Reads one text.

    Attributes:
        places: Where each value was typed, by Tencent's names, `Region`, `Account` and `Case`.
        base: What a target says.
        link: The address that was typed in place of the stream.
        hidden: Where values stand that a mistake must not show.
        account: As it is typed, before it is checked.
        ours: What a mistake's sentence ends with that holds nothing of theirs.
    """

    text: str
    vocabulary: Vocabulary
    now: float
    places: dict[str, Token] = field(default_factory=dict[str, Token])
    base: _Said = field(default_factory=_Said)
    link: links.StreamUrl | None = None
    hidden: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    secret_names: frozenset[str] = frozenset()
    account: str = ""
    ours: str = ""

    def __post_init__(self) -> None:
        params = (param for action in self.vocabulary.actions for param in action.params)
        self.secret_names = frozenset(
            name for param in params if param.secret for name in (param.api.casefold(), param.word)
        )

    def read(self, verb: Effect | None) -> ParseResult:
        tokens, verb = self._verb(self._tokens(), verb)
        if not tokens:
            forms = verb in (Effect.STOP, Effect.START)
            return Form(verb) if verb and forms else Help(verb.value if verb else "")
        topic = _topic(tokens, verb)
        if topic is not None:
            return Help(redact(topic)[:64])
        match tokens[0].value.casefold() if not tokens[0].name else "":
            case "whoami" | "off" as word:
                if len(tokens) > 1:
                    raise self._wrong(f'"{word}" stands alone.', tokens[1])
                return WhoAmI() if word == "whoami" else OffAir()
            case "audit":
                return self._audit(tokens[1:])
            case word if (own := self._own(word)) is not None:
                return self._held(own, tokens)
            case _:
                return self._command(tokens, verb)

    def _own(self, word: str) -> Action | None:
        """Find what the bot does itself."""
        ours = (a for a in self.vocabulary.actions if a.product.local)
        return next((a for a in ours if word in (a.words, a.api.casefold())), None)

    def _tokens(self) -> list[Token]:
        """Cut the text, and note where secret values stand, even if the rest is a mistake."""
        try:
            tokens = tokenize(self.text)
        except ParseError as error:
            before = self._noted(tokenize(self.text[: error.start]))
            if before and self._is_secret(before[-1]) and not before[-1].value:
                self.hidden.add((error.start, len(self.text)))
            self._hide_after_kind([*before, Token("", "…", error.start, error.end, 0, error.start)])
            raise
        return self._noted(tokens)

    def _hide_after_kind(self, tokens: Sequence[Token]) -> None:
        """Hide what stands after a kind that may have secrets, where the text cannot be cut."""
        kinds = {
            word: a
            for a in self.vocabulary.actions
            if any(param.secret for param in a.params)
            for word in (a.words, a.api.casefold())
        }
        said = {**dict.fromkeys(kinds, ""), **self.vocabulary.targets}
        for at, token in enumerate(tokens[:3]):
            words = [token.value, *said.get(token.value, "").split()]
            found = next((kinds[w.casefold()] for w in words if w.casefold() in kinds), None)
            if found is not None and not token.name:
                self._hide_unplaced(found, tokens[at + 1 :])
                return

    def _noted(self, tokens: list[Token]) -> list[Token]:
        self.hidden |= {(t.value_start, t.end) for t in tokens if self._is_secret(t) and t.value}
        return tokens

    def _is_secret(self, token: Token) -> bool:
        return token.name.casefold() in self.secret_names

    def _verb(self, tokens: list[Token], verb: Effect | None) -> tuple[list[Token], Effect | None]:
        while tokens and not tokens[0].name and verb is not Effect.READ:
            said = _VERBS.get(tokens[0].value.casefold())
            if said is None:
                break
            if verb is not None and said not in (verb, Effect.READ):
                raise self._wrong(
                    f"This is the command that {verb.value}s. "
                    f"Use /{said.value}stream to {said.value} something.",
                    tokens[0],
                )
            tokens, verb = tokens[1:], said
        return tokens, verb

    def _audit(self, tokens: list[Token]) -> Audit:
        readers: Mapping[str, Callable[[Token], object]] = {
            "since": self._since,
            "user": self._user,
            "action": self._apis,
            "target": lambda token: redact(token.value)[:256],
            "ending": self._ending,
            "case": self._case,
            "account": lambda token: redact(token.value.casefold())[:64],
        }
        fields = {"action": "apis", "ending": "state"}
        said: dict[str, Any] = {}
        for token in tokens:
            name = token.name.casefold()
            field_ = fields.get(name, name)
            if name not in readers or field_ in said:
                raise self._wrong(_AUDIT_TAKES, token)
            if not token.value:
                raise self._wrong(f'"{_shown(token.name)}" has no value.', token)
            said[field_] = readers[name](token)
        return Audit(**said)

    def _since(self, token: Token) -> float:
        try:
            return min(parse_duration(token.value), _LONGEST_LOOK_BACK)
        except ValueError as error:
            problem = f'"{_shown(token.value)}" is no length of time: {error}.'
            raise self._wrong(problem, token) from None

    def _user(self, token: Token) -> str:
        found = _USER.fullmatch(token.value)
        if found is None:
            raise self._wrong("Name the user by a mention, for example user=@alice.", token)
        return found[1]

    def _apis(self, token: Token) -> tuple[str, ...]:
        actions, word = self.vocabulary.actions, token.value.casefold()
        found = tuple(a.api for a in actions if word in (a.words, a.api.casefold()))
        if found:
            return found
        known = [name for a in actions for name in (a.words, a.api)]
        shown = f'There is no action "{_shown(token.value)}"'
        raise self._unknown(shown, ".", _of_value(token), token.value, known)

    def _ending(self, token: Token) -> State:
        try:
            return State(token.value.casefold())
        except ValueError:
            known = [state.value for state in State]
            shown = f'There is no ending "{_shown(token.value)}"'
            ways = f"; there is {', '.join(known)}."
            raise self._unknown(shown, ways, _of_value(token), token.value, known) from None

    # --- what the bot does itself --------------------------------------------------

    def _held(self, action: Action, tokens: Sequence[Token]) -> Command:
        """Read what is held or released: a target as for a stop, beside the action's own words."""
        names = {name for p in action.params for name in (p.word, p.api.casefold())}
        for token in tokens[1:]:
            name = token.name.casefold()
            if name in names or name in ("account", "case"):
                self._take(action, token)
        account, of = self.places.get("Account"), self.places.get("Case")
        target, on = self._target_to_hold(action, tokens[0])
        values: dict[str, Json] = {"Target": target}
        for param in action.params:
            place = self.places.get(param.api)
            if param.api not in values and place is not None:
                values[param.api] = self._read(param, place, redact(place.value))
            elif param.api not in values:
                way = f"add {param.word}=…, {param.help}"
                raise self._wrong(f"{param.word} is missing: {way}.", None)
        named = self._account(account) if account else on
        if not named:
            raise self._wrong(self._no_account(), None)
        return Command(action, values, "", named, self._case(of) if of else "")

    def _target_to_hold(self, action: Action, word: Token) -> tuple[str, str]:
        """Name what is held, and the account that its words mean."""
        typed = self.places.get("Target")
        aside = [word, *(t for name, t in self.places.items() if name != "Account")]
        text = typed.value if typed else _blanked(self.text, aside)
        inner = _Reader(text, self.vocabulary, self.now)
        try:
            found = inner.read(Effect.STOP)
        except ParseError as error:
            said = offair.parse_hold_target(_bare_words(text), self.vocabulary.actions, self.now)
            if said:
                return self._keyless(said, typed), self.vocabulary.meant
            self.ours = inner.ours
            if typed:
                raise self._wrong(error.sentence, typed) from None
            self.hidden |= inner.hidden
            raise ParseError(
                error.sentence,
                text=self.text,
                start=error.start,
                end=error.end,
                suggestion=error.suggestion,
            ) from None
        if not isinstance(found, Command):
            raise self._wrong(f"Say what, for example: {example(action)}", None)
        held = offair.hold_target(found.action, found.params)
        if not held or not offair.comes_back(found.action, self.vocabulary.actions):
            problem = f"Nothing starts again what {found.action.api} stops, so it needs no hold."
            raise self._wrong(problem, None)
        of = {*found.action.effect_spec.key, "Region", "Account", "Case"}
        more = next((token for name, token in inner.places.items() if name not in of), None)
        if more is not None:
            problem = f'A {action.words} takes no "{_shown(more.name or more.value)}".'
            raise self._wrong(problem, typed or more)
        return self._keyless(held, typed), found.account

    def _keyless(self, target: str, typed: Token | None) -> str:
        if redact(target) != target:
            raise self._wrong("A key stands in that name; name the stream alone.", typed)
        return target

    # --- kinds and targets ---------------------------------------------------------

    def _command(self, tokens: list[Token], verb: Effect | None) -> Command:
        first = tokens[0]
        if first.name:
            raise self._wrong("Say first what it is about, for example live.", first)
        # Until it is known what they are for: a key may stand in the path of an address.
        unclear = tokens if verb is Effect.START else tokens[1:]
        addresses = {(t.value_start, t.end) for t in unclear if _is_address(t.value)}
        addresses -= self.hidden
        self.hidden |= addresses
        base = _Said()
        target = self._target_called(first.value)
        if target:
            action, base = self._target(replace(first, value=target), verb)
        else:
            action = self._action(first, verb)
        if not any(param.secret for param in action.params):
            self.hidden -= addresses
        if first.value.casefold() != action.api.casefold():
            action = self._longer(action, tokens[1:])
        try:
            said = self._typed(action, tokens[1:], base)
        except ParseError:
            self._hide_unplaced(action, tokens[1:])
            raise
        return self._finish(action, said, first)

    def _hide_unplaced(self, action: Action, tokens: Iterable[Token]) -> None:
        """Hide what a mistake has left without a place: it may be the key of an odd spelling."""
        if not any(param.secret for param in action.params):
            return
        placed = self.places.values()
        for token in tokens:
            own = token.name.casefold() in _EVERYWHERE or action.param(token.name) is not None
            if token.value and token not in placed and not (token.name and own):
                self.hidden.add((token.value_start, token.end))

    def _longer(self, action: Action, tokens: Sequence[Token]) -> Action:
        """Take the action that does the same until a time, where one is said."""
        longer = next((a for a in self.vocabulary.actions if a.api == action.longer_variant), None)
        if longer is None or longer.expiry is None:
            return action
        ends = longer.param(longer.expiry[0])
        says = (t for t in tokens if t.name and action.param(t.name) is None)
        return longer if any(longer.param(token.name) is ends for token in says) else action

    def _action(self, token: Token, verb: Effect | None) -> Action:
        found = self._find(token.value, verb)
        if found is not None:
            return found
        actions = self.vocabulary.actions
        word = token.value.casefold()
        others = [a for a in actions if word in (a.words, a.api.casefold())]
        if others and verb is None:
            raise self._wrong(_say_what(token.value, others), token)
        if others:
            ways = " and ".join(f"{beginning(other)} …" for other in others)
            backs = (back for other in others if (back := self._back(other, verb)))
            ways += "".join(f", and {back}" for back in dict.fromkeys(backs))
            raise self._wrong(f'"{_shown(token.value)}" {_cannot(verb)}; there is {ways}.', token)
        meant = [a for api in OTHER_WORDS.get(word, ()) for a in actions if a.api == api]
        if meant and verb is not Effect.READ:
            ways = ", and ".join(f"{beginning(a)} … {IN_SHORT[a.api]}" for a in meant)
            raise self._wrong(f'There is no kind "{_shown(token.value)}"; {ways}.', token)
        kinds = list(dict.fromkeys(a.words for a in actions if verb in (None, a.effect)))
        if _is_address(token.value):
            raise self._wrong(
                f"Say first what to do with this address: {', '.join(kinds)} or help.", token
            )
        known = [*kinds, *self.vocabulary.targets, *_ASIDES, *(a.api for a in actions)]
        raise self._unknown(
            f'There is no kind "{_shown(token.value)}"',
            f"; there is {', '.join(kinds)} and help.",
            token,
            token.value,
            known,
        )

    def _back(self, action: Action, verb: Effect | None) -> str:
        """Name the command that takes an action back; empty where none does under the verb."""
        undo = (a for a in self.vocabulary.actions if a.api == action.undo and a.effect is verb)
        return next((f"{beginning(a)} … takes it back" for a in undo), "")

    def _find(self, word: str, verb: Effect | None) -> Action | None:
        """Find an action by its API name, or by its words and what is to be done.

        Where the status is asked for, only what reads will do.
        """
        actions, folded = self.vocabulary.actions, word.casefold()
        reads = verb is Effect.READ
        named = [a for a in actions if a.api.casefold() == folded]
        found = [a for a in named if a.effect is verb or not reads]
        found += [a for a in actions if a.words == folded and a.effect is verb]
        if reads and not found:
            looks = {a.status_read for a in actions if folded in (a.words, a.api.casefold())}
            found = [a for a in actions if a.api in looks]
        return found[0] if found else None

    def _target_called(self, word: str) -> str:
        """Find the target that a first word means, in any case if only one is meant."""
        folded = word.casefold()
        ours = {name for a in self.vocabulary.actions for name in (a.words, a.api.casefold())}
        if folded in ours or folded in _ASIDES:
            return ""
        if word in self.vocabulary.targets:
            return word
        near = [name for name in self.vocabulary.targets if name.casefold() == folded]
        return near[0] if len(near) == 1 else ""

    def _target(self, name: Token, verb: Effect | None) -> tuple[Action, _Said]:
        """Find what a target means under a verb, and what its text says for that."""
        own, explicit, said = self._expanded(name)
        if verb is None and not explicit:
            same = [a for a in self.vocabulary.actions if a.words == own.words]
            raise self._wrong(_say_what(name.value, same), name)
        # What neither stops nor starts goes under either command; stop never means start.
        aside = own.effect not in _PAST and verb is not Effect.READ
        if aside or verb in (None, own.effect):
            return own, said
        action = self._find(own.words, verb)
        if action is None:
            back = self._back(own, verb)
            raise self._wrong(
                f'The target "{_shown(name.value)}" stands for {own.api}, which {_cannot(verb)}'
                f"{back and f'; {back}'}.",
                name,
            )
        return action, said.as_far_as(action)

    def _expanded(self, name: Token) -> tuple[Action, bool, _Said]:
        """Read a target's text; targets inside it mean nothing.

        Gives its action, whether it says by itself what is to be done, and what it says.
        """
        words = self.vocabulary.targets[name.value]
        inner = _Reader(unescape(words), replace(self.vocabulary, targets={}), self.now)
        try:
            tokens, verb = inner._verb(inner._tokens(), None)
            if not tokens or tokens[0].name:
                raise inner._wrong("It names no kind.", None)
            action = inner._action(tokens[0], verb or Effect.STOP)
            said = inner._typed(action, tokens[1:], _Said())
        except ParseError as error:
            raise self._wrong(
                f'The target "{_shown(name.value)}" is wrong in the policy file: '
                f"{redact(error.sentence)}",
                name,
            ) from None
        explicit = verb is not None or tokens[0].value.casefold() == action.api.casefold()
        return action, explicit, said

    def _borrowed(self, action: Action, name: Token, param: Param) -> _Said:
        """Give those of a target's values that another action has, too."""
        _, _, said = self._expanded(name)
        borrowed = said.as_far_as(action)
        if param.api not in borrowed.values:
            raise self._wrong(
                f'The target "{_shown(name.value)}" names no {param.word}; write '
                f"{param.word}={quoted(_shown(name.value))} if you mean a {param.word} of that "
                "name.",
                name,
            )
        return borrowed

    # --- values ----------------------------------------------------------------------

    def _typed(self, action: Action, tokens: Sequence[Token], base: _Said) -> _Said:
        """Read what stands after the kind; it wins over `base`, what a target says."""
        self.base = base
        # What there is and must be said goes by the account's site, wherever it is named.
        named = (token.value.casefold() for token in tokens if token.name.casefold() == "account")
        self.account = next(named, "")
        for token in tokens:
            self._whole(action, token)
            self._take(action, token)
        values: dict[str, Json] = {}
        for param in action.params:
            place = self.places.get(param.api)
            if place is not None and not (self.link and param.word == "stream"):
                text = self._clean(action, param, place)
                values[param.api] = self._read(param, place, text)
        if self.link is not None:
            values |= self._linked(action, self.link, values)
        region, account = self.places.get("Region"), self.places.get("Account")
        of = self.places.get("Case")
        typed = _Said(
            values,
            region.value.casefold() if region else "",
            self._account(account) if account else "",
            self._case(of) if of else "",
            self._spans(action),
        )
        return typed.over(self.base)

    def _whole(self, action: Action, token: Token) -> None:
        """Refuse the name of a secret without its value: what follows would go elsewhere."""
        if token.name or token.quoted or not any(param.secret for param in action.params):
            return
        param = action.param(token.value.rstrip(_BINDS))
        if token.value[:1] in _BINDS or (param is not None and param.secret):
            raise self._wrong("Write it without spaces: name=value.", token)

    def _spans(self, action: Action) -> dict[str, float]:
        """Give the times that are said as a span from now, in seconds."""
        found: dict[str, float] = {}
        for param in action.params:
            token = self.places.get(param.api)
            if token is not None and param.type.max_days_ahead is not None:
                with contextlib.suppress(ValueError):
                    found[param.api] = parse_duration(token.value)
        return found

    def _take(self, action: Action, token: Token) -> None:
        """Decide which parameter a word or a pair belongs to."""
        name = self._named(action, token) if token.name else self._next(action, token)
        if name in self.places:
            raise self._wrong(f'"{token.name}" is given twice.', token)
        param = action.param(name)
        if not token.quoted and (param is None or name in action.effect_spec.key):
            # A sentence ends so, a name does not; one that does is quoted.
            token = replace(token, value=token.value.rstrip(f"{SENTENCE_ENDS}`") or token.value)
        if token.name and not token.value and not token.quoted:
            word = param.word if param is not None else name.lower()
            self.ours = f"write {word}=…."
            raise self._wrong(f'"{token.name}" has no value; {self.ours}', token)
        if param is not None and param.secret:
            self.hidden.add((token.value_start, token.end))
        if param is not None and param.word == "stream":
            if not token.name and token.value in self.vocabulary.targets:
                self.base = self._borrowed(action, token, param).over(self.base)
                return
            if _is_address(token.value):
                self.link = self._link(token)
            elif "/" in token.value and not (token.name or token.quoted):
                raise self._slashed(token)
        self.places[name] = token

    def _slashed(self, token: Token) -> ParseError:
        value = token.value.partition("?")[0]
        app, _, stream = value.rpartition("/")
        told = app and stream and _shown(value) == value
        way = f": write {quoted(stream)} app={quoted(app)}" if told else ""
        return self._wrong(f'The name of a stream holds no "/"{way}, or quote the name.', token)

    def _next(self, action: Action, token: Token) -> str:
        """Give the parameter that a bare word fills."""
        site = self._site(action)
        told = self.link is not None and self.link.side == "push"
        for param in action.params:
            open_ = param.required and param.default is None and param.only in (None, site)
            taken = param.api in self.places or param.api in self.base.values
            if open_ and not taken and not (told and param.word == "domain"):
                return param.api
        raise self._wrong("This is one word too many; write it as name=value.", token)

    def _named(self, action: Action, token: Token) -> str:
        """Give Tencent's name for what was typed, or `Region`, `Account` or `Case`."""
        param = action.param(token.name)
        if param is not None:
            return param.api
        own = token.name.casefold()
        if own == "region" and action.regions is None:
            raise self._wrong(f"{action.api} takes no region.", token)
        if own in _EVERYWHERE:
            return own.capitalize()
        words = [param.word for param in action.params] + ["region"] * bool(action.regions)
        raise self._unknown(
            f'{action.words} takes no "{_shown(token.name)}"',
            f"; it takes {', '.join(words)}.",
            replace(token, start=token.name_start, end=token.name_start + len(token.name)),
            token.name,
            [*words, "account", "case", *(param.api for param in action.params)],
        )

    def _account(self, token: Token) -> str:
        name, accounts = token.value.casefold(), self.vocabulary.accounts
        if name in accounts:
            return name
        raise self._unknown(
            f'There is no account "{_shown(name)}"',
            f"; there is {', '.join(accounts)}.",
            replace(token, start=token.value_start),
            name,
            [*accounts],
        )

    def _case(self, token: Token) -> str:
        try:
            return redact(case(token.value))
        except ValueError as error:
            shown = _shown(token.value)
            raise self._wrong(f'"{shown}" is not the name of a case: {error}.', token) from None

    def _clean(self, action: Action, param: Param, token: Token) -> str:
        """Take a stream key out of a value, or refuse what cannot be told from one."""
        value = token.value
        if param.secret:
            return value
        if _is_address(value) and any(other.secret for other in action.params):
            # Bare words in the wrong order would show the address with its key.
            raise self._wrong(
                f"This {param.word} looks like an address; write each value as name=value.", token
            )
        if redact(value) == value:
            return value
        if param.word == "stream":
            # The push name as consoles and encoders show it: `stream1?txSecret=…`.
            name = re.split("[?&]", value)[0]
            if name and redact(name) == name:
                return name
        if param.api in action.effect_spec.key:
            raise self._wrong(
                f"This {param.word} holds what looks like a key; leave it out.", token
            )
        return redact(value)

    def _read(self, param: Param, token: Token, text: str) -> Json:
        try:
            return param.type.read(text, self.now)
        except ValueError as error:
            reason = f": {error}" if str(error) else ""
            shown = "This" if param.secret else f'"{_shown(text)}"'
            raise self._wrong(f"{shown} is not {param.type.description}{reason}.", token) from None

    def _link(self, token: Token) -> links.StreamUrl:
        try:
            return links.parse_url(links.with_scheme(token.value))
        except ValueError as error:
            raise self._wrong(f"This address names no stream: {error}.", token) from None

    def _linked(
        self, action: Action, link: links.StreamUrl, typed: Mapping[str, Json]
    ) -> dict[str, Json]:
        """Give what an address says; what is typed beside it must agree."""
        place = next(self.places[p.api] for p in action.params if p.word == "stream")
        found = {"stream": link.stream, "app": link.app}
        domain = action.param("domain")
        if domain is not None:
            known = domain.api in typed or domain.api in self.base.values
            known = known or self._default(action, domain) is not None
            if link.side == "push" or (link.side == "unclear" and not known):
                found["domain"] = link.host
            elif domain.required and not known:
                raise self._wrong(
                    "A play address does not tell the push domain; add domain=….", place
                )
        values: dict[str, Json] = {}
        for word, text in found.items():
            param = action.param(word)
            if param is None:
                continue
            value = self._read(param, place, text)
            beside = typed.get(param.api, value)
            if beside != value:
                raise self._wrong(
                    f"The address says {word}={_shown(str(value))}, but "
                    f"{word}={_shown(str(beside))} is typed beside it: which one?",
                    self.places[param.api],
                )
            values[param.api] = value
        return values

    # --- the rest ----------------------------------------------------------------------

    def _finish(self, action: Action, said: _Said, kind: Token) -> Command:
        """Fill in the defaults and see that nothing is missing."""
        account = said.account or self.vocabulary.meant
        if not account:
            raise self._wrong(self._no_account(), None)
        site = self._site(action)
        if action.only not in (None, site):
            raise self._wrong(f"{action.api} exists on the {action.only} site alone.", kind)
        complete: dict[str, Json] = {}
        for param in action.params:
            value = said.values.get(param.api)
            if param.only not in (None, site):
                if value is not None:
                    problem = f"{param.word} exists on the {param.only} site alone."
                    raise self._wrong(problem, self.places.get(param.api, kind))
                continue
            value = self._default(action, param) if value is None else value
            if value is not None:
                complete[param.api] = value
            elif param.required:
                self.ours = f"For example: {example(action, site)}"
                raise self._wrong(f"{param.word} is missing: {param.help}. {self.ours}", None)
        region = self._region(action, said.region, kind)
        return Command(action, complete, region, account, said.case, said.spans)

    def _no_account(self) -> str:
        ways = " or ".join(f"account={name}" for name in self.vocabulary.accounts)
        return f"account is missing: add {ways}."

    def _site(self, action: Action) -> Site:
        return self.vocabulary.site(action, self._meant())

    def _meant(self) -> str:
        """Give the account that is meant, as far as the text says it."""
        return self.account or self.base.account or self.vocabulary.meant

    def _default(self, action: Action, param: Param) -> Json:
        for values in self.vocabulary.defaults_for(action, self._meant()):
            name = next((name for name in param.names if name in values), None)
            if name is not None:
                given = str(values[name])
                try:
                    return param.type.read(given, self.now)
                except ValueError:
                    given = HIDDEN if param.secret else _shown(given)
                    raise self._wrong(
                        f'The policy\'s default "{given}" for {param.api} is not '
                        f"{param.type.description}.",
                        None,
                    ) from None
        return param.default_value(self.now)

    def _region(self, action: Action, said: str, kind: Token) -> str:
        if action.regions is None:
            return ""
        region = said or self.vocabulary.region_for(action, self._meant())
        site = self._site(action)
        allowed = action.regions.get(site, ())
        if region in allowed:
            return region
        where = f"offered on the {site} site in {', '.join(allowed)}"
        offers = f"{action.api} is {where if allowed else f'not offered on the {site} site'}."
        if not region:
            raise self._wrong(f"region is missing: add region=…. {offers}", None)
        hint = ""
        if any(region in regions for other, regions in action.regions.items() if other != site):
            other = "mainland" if site == "intl" else "intl"
            chooses = self.vocabulary.chooses_site(self._meant())
            hint = f" The {other} site has it; {chooses} chooses."
        told = "" if said else ", which the configuration fills in,"
        token = self.places.get("Region", kind) if said else None
        raise self._wrong(
            f'"{_shown(region)}"{told} is not a region for this. {offers}{hint}', token
        )

    def _unknown(
        self, sentence: str, otherwise: str, token: Token, word: str, known: Iterable[str]
    ) -> ParseError:
        folded = {name.casefold(): name for name in known if not _opposite(word, name)}
        near = difflib.get_close_matches(word.casefold()[:64], folded, n=1, cutoff=0.6)
        if not near:
            return self._wrong(sentence + otherwise, token)
        suggestion = folded[near[0]]
        return self._wrong(f'{sentence}. Did you mean "{suggestion}"?', token, suggestion)

    def _wrong(self, sentence: str, token: Token | None, suggestion: str = "") -> ParseError:
        end = len(self.text)
        start, end = (token.start, token.end) if token else (end, end)
        return ParseError(sentence, text=self.text, start=start, end=end, suggestion=suggestion)


def _topic(tokens: Sequence[Token], verb: Effect | None) -> str | None:
    """Say what they want help on; None where they want no help."""
    wishes = [number for number, token in enumerate(tokens) if _asks_for_help(token, number)]
    if not wishes:
        return None
    words = [t.name or t.value for number, t in enumerate(tokens) if number not in wishes]
    if len(words) > 1 and words[0].casefold() in _VERBS:
        words = words[1:]
    if not words:
        return Effect.READ.value if verb is Effect.READ else ""
    effect = _VERBS.get(words[0].casefold())
    return effect.value if effect else words[0]


def _asks_for_help(token: Token, number: int) -> bool:
    if token.name:
        return token.name.casefold() == "help" and not token.value
    if token.quoted:
        return False
    # Further on, "help" may be the name of a stream.
    signs = (("help", "-h", "?"), ("-h", "?"))
    return token.value.casefold() in (signs[number] if number < len(signs) else ("-h",))


def _is_address(text: str) -> bool:
    return links.looks_like_url(text) or links.lacks_its_scheme(text)


def _shown(text: str) -> str:
    """Show in one line of a sentence what was typed, without keys."""
    text = "".join(char if char.isprintable() else "·" for char in redact(text))
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _blanked(text: str, tokens: Iterable[Token]) -> str:
    """Take words out of a text whose other places stay."""
    for token in tokens:
        text = text[: token.start] + " " * (token.end - token.start) + text[token.end :]
    return text


def _bare_words(text: str) -> str:
    """Give the words of a text, an account aside; nothing where other values are named."""
    try:
        tokens = [token for token in tokenize(text) if token.name.casefold() != "account"]
    except ParseError:
        return ""
    return "" if any(token.name for token in tokens) else " ".join(t.value for t in tokens)


def _of_value(token: Token) -> Token:
    """Give the place of a value without its name."""
    return replace(token, start=token.value_start)


def _say_what(word: str, actions: Iterable[Action]) -> str:
    """Ask for the verb, or for the API's name where no verb leads to it."""
    verbs = frozenset(_VERBS.values())
    ways = [
        f'"{a.effect.value} {_shown(word)} …"' if a.effect in verbs else f'"{a.api} …"'
        for a in actions
    ]
    return f"Say what to do with it: {' or '.join(ways)}."


def _opposite(word: str, name: str) -> bool:
    """Tell whether one of two words starts what the other stops."""
    first, second = _direction(word), _direction(name)
    # What "un" takes back is known of no word of ours: `unban` is no `ban`.
    return first != second and (None not in (first, second) or _UN.match(word) is not None)


def _direction(word: str) -> Effect | None:
    found = _DIRECTION.match(word)
    if found is None:
        return None
    return Effect.START if found["start"] else Effect.STOP


def _cannot(verb: Effect | None) -> str:
    return f"cannot be {_PAST[verb]}" if verb in _PAST else "has no status to read"
