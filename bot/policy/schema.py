"""The shape of the policy file: read strictly, and every problem is one line with its place."""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from bot.catalog.param_types import CASE, case
from bot.errors import ConfigError
from bot.model.actions import DEFAULT, Action, Approval, Site
from bot.times import parse_duration

LARGEST = 1 << 20
"""Characters of a policy file."""

MOST = 50_000
"""Values of a policy file, with its aliases written out."""

RESERVED_WORDS = frozenset({"audit", "help", "off", "start", "status", "stop", "whoami"})
"""Words that no target may have for a name."""

_SCALAR = str | int | bool
Pattern = Annotated[
    str,
    BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v),
    Field(min_length=1, description="A glob: * stands for anything, ? for one character."),
]
ActionPattern = Annotated[
    str, Field(min_length=1, description="Tencent's name of an API, or a glob over the names.")
]
UserId = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")]
GroupId = Annotated[str, Field(pattern=r"^S[A-Z0-9]+$")]
ChannelId = Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]+$")]
_HTTPS = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?=&%#+,:;!-]*)?"


def _https(text: str) -> str:
    if len(text) > _LONGEST_ADDRESS or not re.fullmatch(_HTTPS, text):
        raise ValueError("is not a plain address that begins with https://")
    return text


_LONGEST_ADDRESS = 500
Address = Annotated[
    str,
    AfterValidator(_https),
    Field(json_schema_extra={"pattern": f"^{_HTTPS}$", "maxLength": _LONGEST_ADDRESS}),
]
Case = Annotated[
    str,
    BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v),
    AfterValidator(case),
    Field(
        description="The name of an incident or ticket, e.g. INC-42.",
        json_schema_extra={"pattern": f"^{CASE}$"},
    ),
]
_VARIABLE = "[A-Z][A-Z0-9]*(_[A-Z0-9]+)+"
_REGION = "[a-z]{2}-[a-z]+(-[0-9]+)?"
_ACCOUNT = "[a-z][a-z0-9-]{0,31}"
_OF_OTHERS = ("SLACK_", "STOPSTREAM_")


def _variable(text: str) -> str:
    # No key of Tencent Cloud has an underscore, so none can pass for a name.
    if not re.fullmatch(_VARIABLE, text):
        raise ValueError(
            "is not the name of a variable (capitals and digits, with _ between); "
            "a secret itself never stands in this file"
        )
    if text.startswith(_OF_OTHERS):
        # The id of a key is sent along in the clear.
        raise ValueError("names a variable that holds no key for a cloud account")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(_REGION, text):
        raise ValueError("does not look like a region, e.g. ap-guangzhou")
    return text


def _account_name(text: str) -> str:
    if not re.fullmatch(_ACCOUNT, text):
        raise ValueError("an account's name is small letters, digits and -, 32 at most")
    if text == DEFAULT:
        # Cards name every account but this one.
        raise ValueError("is what the account is called where the file names none; call it else")
    return text


Variable = Annotated[
    str,
    AfterValidator(_variable),
    Field(
        description="The name of an environment variable, never the secret itself.",
        json_schema_extra={"pattern": f"^{_VARIABLE}$"},
    ),
]
AccountName = Annotated[
    str, AfterValidator(_account_name), Field(json_schema_extra={"pattern": f"^{_ACCOUNT}$"})
]
AccountPattern = Annotated[
    str, Field(min_length=1, description="The name of an account, or a glob over the names.")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Members(_Strict):
    """Who is in a role. Nobody is by default."""

    users: tuple[UserId, ...] = Field((), description="Slack user ids.")
    usergroups: tuple[GroupId, ...] = Field((), description="Slack user group ids.")


class AccountSettings(_Strict):
    """A cloud account: in which variables its key is, and where it is meant.

    One account may leave the key out: the bot's own is taken, of TENCENTCLOUD_SECRET_ID and
    TENCENTCLOUD_SECRET_KEY, the credentials file or the machine's role.
    """

    secret_id: Variable | None = Field(None, description="The variable of the key's id.")
    secret_key: Variable | None = Field(None, description="The variable of the key itself.")
    token: Variable | None = Field(None, description="The variable of a temporary key's token.")
    site: Site | None = Field(
        None, description="Whose hosts it calls; left out: as STOPSTREAM_TENCENT_SITE says."
    )
    region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="Where neither the command nor a default names one."
    )
    channels: tuple[ChannelId, ...] = Field(
        (), description="What is asked there without account=… is asked of this account."
    )
    defaults: dict[str, dict[str, _SCALAR]] = Field(
        default_factory=dict[str, dict[str, _SCALAR]],
        description="As those of the whole file, and before them.",
    )

    @property
    def variables(self) -> dict[str, str]:
        """The variables of its key, by what each holds."""
        named = {"secret_id": self.secret_id, "secret_key": self.secret_key, "token": self.token}
        return {key: name for key, name in named.items() if name is not None}


class Rule(_Strict):
    """What a role may do."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    accounts: tuple[AccountPattern, ...] | None = Field(
        None,
        min_length=1,
        description="Only there; must be said where the file names several accounts.",
    )
    channels: tuple[ChannelId, ...] | None = Field(
        None, description="Only there; left out: any channel the bot is in."
    )
    where: dict[str, Pattern] | None = Field(
        None, min_length=1, description="By parameter name; left out: any target."
    )
    approval: Approval = Approval.NONE
    approvers: tuple[str, ...] | None = Field(
        None, description="Roles; left out: anyone whom the same rule allows. Empty: nobody."
    )
    approvals_needed: Annotated[int, Field(strict=True, ge=1, le=10)] = Field(
        1, description="How many people must approve, where it needs a second person."
    )
    expires: str = Field("15m", description="How long its buttons live, e.g. 15m.")
    remind: str | None = Field(
        None, description="After how long without an answer the card reminds, e.g. 2m."
    )
    then: tuple[str, ...] = Field(
        (), description="Roles that may approve too, one more with each reminder."
    )
    break_glass: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="In an emergency the asker may go without the second person, with a reason.",
    )
    requests: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Who may not do this may ask its role's members to let it through, here.",
    )
    runbook: Address | None = Field(None, description="What to read about it, https only.")

    @property
    def lasts(self) -> float:
        """Give `expires` in seconds."""
        return parse_duration(self.expires)

    @property
    def reminds(self) -> float | None:
        """Give `remind` in seconds; where only `then` is given, it is spread over `expires`."""
        if self.remind is not None:
            return parse_duration(self.remind)
        return self.lasts / (len(self.then) + 1) if self.then else None


class Limit(_Strict):
    """What binds everyone, whatever a role allows."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    accounts: tuple[AccountPattern, ...] | None = Field(
        None, min_length=1, description="Only there; left out: on every account."
    )
    where: dict[str, Pattern] | None = Field(None, min_length=1)
    approval: Approval | None = Field(None, description="At least this.")
    deny: bool = Field(default=False, description="Never.")


class Runbook(_Strict):
    """What to read about some actions, or about some targets of theirs."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    where: dict[str, Pattern] | None = Field(None, min_length=1)
    link: Address


class Role(_Strict):
    """People, and what they may do."""

    members: Members = Field(default_factory=lambda: Members(users=(), usergroups=()))
    allow: tuple[Rule, ...] = ()
    audit: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Its members may read of everything, not only what they asked or saw.",
    )


class Policy(_Strict):
    """The policy file of stopstream: who may do what, where, and with whose consent."""

    defaults: dict[str, dict[str, _SCALAR]] = Field(
        default_factory=dict[str, dict[str, _SCALAR]],
        description="By kind, API name or product: what fills in for the command.",
    )
    targets: dict[str, str] = Field(
        default_factory=dict[str, str], description="Names people say, and the command they mean."
    )
    accounts: dict[AccountName, AccountSettings] = Field(
        default_factory=dict[str, AccountSettings],
        description="Cloud accounts by name; left out: one, of the bot's own key.",
    )
    limits: tuple[Limit, ...] = ()
    cases: dict[ChannelId, Case] = Field(
        default_factory=dict[str, str],
        description="By channel id: the case of what is asked there without case=….",
        json_schema_extra={"additionalProperties": False},
    )
    runbooks: tuple[Runbook, ...] = Field(
        (), description="The first that matches stands on the card, before the rule's own."
    )
    roles: dict[str, Role] = Field(default_factory=dict[str, Role])

    @property
    def usergroups(self) -> frozenset[str]:
        """Every user group that some role names."""
        return frozenset(g for role in self.roles.values() for g in role.members.usergroups)

    @property
    def account_names(self) -> tuple[str, ...]:
        """The accounts that there are."""
        return tuple(self.accounts) or (DEFAULT,)

    @property
    def digest(self) -> str:
        """The sha256 of what the file means, whatever its layout."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the file."""
    made: dict[str, Any] = _without_null(Policy.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _without_null(node: Any) -> Any:
    """Take out what only stands for a key that is left out: the file may not say null."""
    if isinstance(node, list):
        return [_without_null(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: _without_null(one) for name, one in node.items() if one is not None}
    some = [one for one in found.pop("anyOf", []) if one != {"type": "null"}]
    return found | some[0] if len(some) == 1 else found | ({"anyOf": some} if some else {})


def load(
    text: str,
    *,
    actions: Sequence[Action],
    source: str = "policy.yml",
    check_target: Callable[[Policy, str], str | None] | None = None,
    check_variable: Callable[[str], str | None] | None = None,
) -> Policy:
    """Read a policy file.

    Args:
        source: Its name, for the problems.
        check_target: Says what is wrong with a target's text, or nothing.
        check_variable: Says what is wrong with a variable, never what it holds, or nothing.

    Raises:
        ConfigError: One line per problem, with its place in the file.
    """
    if len(text) > LARGEST:
        raise ConfigError([f"{source}: is larger than {LARGEST} characters"])
    try:
        lines: dict[tuple[Any, ...], int] = {}
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = {} if node is None or node.tag == _NULL else _build(node, (), lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "is not YAML"
        raise ConfigError([f"{source}{line}: {_flat(why)}"]) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError([f"{source}: {_flat(str(error)) or 'is nested too deeply'}"]) from None
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        problems = [(one["loc"], _why(one)) for one in error.errors()]
    else:
        problems = [*validate(policy, actions)]
        if check_variable is not None and not problems:
            problems += [
                (("accounts", name, key), f"the variable {variable} {wrong}")
                for name, account in policy.accounts.items()
                for key, variable in account.variables.items()
                if (wrong := check_variable(variable))
            ]
        if check_target is not None and not problems:
            problems += [
                (("targets", name), f"{wrong}")
                for name, words in policy.targets.items()
                if (wrong := check_target(policy, words))
            ]
        if not problems:
            return policy
    raise ConfigError([_line(source, lines, loc, why) for loc, why in problems])


def _build(node: yaml.Node, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int]) -> Any:
    """Turn YAML into data as SafeLoader would, but refuse what it quietly accepts."""
    lines[path] = node.start_mark.line + 1
    if len(lines) > MOST:
        raise ValueError(f"holds more than {MOST} values")
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise yaml.MarkedYAMLError(
            problem="only names, numbers, lists and mappings are understood",
            problem_mark=node.start_mark,
        )
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                raise yaml.MarkedYAMLError(
                    problem="a key must be a plain name", problem_mark=key_node.start_mark
                )
            if key in found:
                raise yaml.MarkedYAMLError(
                    problem=f'"{key}" stands here twice', problem_mark=key_node.start_mark
                )
            found[key] = _build(value_node, (*path, key), lines)
            lines[(*path, key)] = key_node.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_build(one, (*path, at), lines) for at, one in enumerate(node.value)]
    if node.tag == _NULL:
        # Nothing must never be read as no condition.
        raise yaml.MarkedYAMLError(
            problem=f"{_path(path)}: has no value; give it one ([] for none) or take it out",
            problem_mark=node.start_mark,
        )
    return _scalar(node)


_NULL = "tag:yaml.org,2002:null"


def _scalar(node: yaml.Node) -> Any:
    tag = node.tag.rpartition(":")[2]
    text = str(node.value)
    match tag:
        case "bool":
            if text.lower() not in ("true", "false"):
                raise yaml.MarkedYAMLError(
                    problem=f'write true or false, or "{text}" in quotes',
                    problem_mark=node.start_mark,
                )
            return text.lower() == "true"
        case "int" if re.fullmatch(r"-?(0|[1-9][0-9]{0,19})", text):
            return int(text)
        case "str" | "int" | "float" | "timestamp":
            return text
        case _:
            raise yaml.MarkedYAMLError(
                problem="only names, numbers, lists and mappings are understood",
                problem_mark=node.start_mark,
            )


def validate(policy: Policy, actions: Sequence[Action]) -> Iterable[tuple[tuple[Any, ...], str]]:
    """Look for what is well-formed but names nothing."""
    for number, limit in enumerate(policy.limits):
        entry = ("limits", number)
        yield from _patterns((*entry, "actions"), limit.actions, actions)
        yield from _wheres(entry, limit.where, limit.actions, actions)
        yield from _account_patterns(policy, (*entry, "accounts"), limit.accounts or ())
        if limit.deny == (limit.approval is not None):
            yield entry, "needs either deny: true or an approval"
    for number, book in enumerate(policy.runbooks):
        yield from _patterns(("runbooks", number, "actions"), book.actions, actions)
        yield from _wheres(("runbooks", number), book.where, book.actions, actions)
    for name, role in policy.roles.items():
        for number, rule in enumerate(role.allow):
            yield from _rule(policy, ("roles", name, "allow", number), rule, actions)
    yield from _defaults(("defaults",), policy.defaults, actions)
    yield from _accounts(policy, actions)
    taken = RESERVED_WORDS | {name for a in actions for name in (a.words, a.api.casefold())}
    for name in policy.targets:
        if name.casefold() in taken:
            yield ("targets", name), "is a word of the bot's own, so nobody could say it"


def _rule(
    policy: Policy, place: tuple[Any, ...], rule: Rule, actions: Sequence[Action]
) -> Iterable[tuple[tuple[Any, ...], str]]:
    yield from _patterns((*place, "actions"), rule.actions, actions)
    yield from _wheres(place, rule.where, rule.actions, actions)
    yield from _account_patterns(policy, (*place, "accounts"), rule.accounts or ())
    if rule.accounts is None and len(policy.accounts) > 1:
        # Otherwise an account that is added would be open at once to whoever has another.
        several = ", ".join(policy.accounts)
        yield (*place, "accounts"), f"is missing; there are {several}: say for which it holds"
    for key, roles in (("approvers", rule.approvers or ()), ("then", rule.then)):
        for at, other in enumerate(roles):
            if other not in policy.roles:
                yield (
                    (*place, key, at),
                    f'there is no role "{other}"' + suggest(other, policy.roles),
                )
    yield from _times(place, rule)
    if rule.requests and rule.approval is Approval.SECOND_PERSON:
        yield (*place, "requests"), "needs a rule whose people may do it without a second person"


def _account_patterns(
    policy: Policy, place: tuple[Any, ...], patterns: Sequence[str]
) -> Iterable[tuple[tuple[Any, ...], str]]:
    names = policy.account_names
    for at, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (*place, at), f'there is no account "{pattern}"{suggest(pattern, names)}'


def _accounts(policy: Policy, actions: Sequence[Action]) -> Iterable[tuple[tuple[Any, ...], str]]:
    taken: dict[str, str] = {}
    keyless = ""
    for name, account in policy.accounts.items():
        place = ("accounts", name)
        yield from _defaults((*place, "defaults"), account.defaults, actions)
        yield from _key(place, account)
        if not account.variables:
            if keyless:
                why = f"has no secret_id and secret_key, and {keyless} has the bot's own already"
                yield place, why
            keyless = keyless or name
        for at, channel in enumerate(account.channels):
            if (other := taken.setdefault(channel, name)) != name:
                yield (*place, "channels", at), f"is a channel of the account {other} already"
        regions = {
            region
            for action in actions
            for site, offered in (action.regions or {}).items()
            if account.site in (None, site)
            for region in offered
        }
        if account.region is not None and account.region not in regions:
            why = f'no action is offered in "{account.region}"{suggest(account.region, regions)}'
            yield (*place, "region"), why


def _key(place: tuple[Any, ...], account: AccountSettings) -> Iterable[tuple[tuple[Any, ...], str]]:
    named = account.variables
    if named and not {"secret_id", "secret_key"} <= named.keys():
        absent = "secret_key" if account.secret_id else "secret_id"
        yield (*place, absent), "is missing; id and key go together"
    if len(set(named.values())) < len(named):
        yield place, "names the same variable twice"


def _times(place: tuple[Any, ...], rule: Rule) -> Iterable[tuple[tuple[Any, ...], str]]:
    for name, given in (("expires", rule.expires), ("remind", rule.remind)):
        try:
            parse_duration(given or "1s")
        except ValueError as error:
            yield (*place, name), f"is no length of time: {error}"
            return
    if rule.remind is not None and parse_duration(rule.remind) >= rule.lasts:
        yield (*place, "remind"), f"is not shorter than expires ({rule.expires})"


def _patterns(
    place: tuple[Any, ...], patterns: Sequence[str], actions: Sequence[Action]
) -> Iterable[tuple[tuple[Any, ...], str]]:
    names = [action.api for action in actions]
    for at, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (*place, at), f'there is no action "{pattern}"{suggest(pattern, names)}'


def _wheres(
    place: tuple[Any, ...],
    where: Mapping[str, str] | None,
    patterns: Sequence[str],
    actions: Sequence[Action],
) -> Iterable[tuple[tuple[Any, ...], str]]:
    if not where:
        return
    chosen = [a for a in actions if any(fnmatchcase(a.api, p) for p in patterns)]
    each = [_names(action) for action in chosen]
    known = set().union(*each)
    for name in where:
        if name not in known:
            why = f'none of these actions has a parameter "{name}"{suggest(name, known)}'
            yield (*place, "where", name), why
    if known.issuperset(where) and not any(names.issuperset(where) for names in each):
        yield (*place, "where"), "no action has all of these parameters, so it would never hold"


def _names(action: Action) -> set[str]:
    region = {"Region"} if action.regions is not None else set[str]()
    return region | {param.api for param in action.params}


def _defaults(
    under: tuple[Any, ...], defaults: Mapping[str, Mapping[str, Any]], actions: Sequence[Action]
) -> Iterable[tuple[tuple[Any, ...], str]]:
    names: dict[str, list[Action]] = {}
    for action in actions:
        for name in (action.api, action.words, action.product.name):
            names.setdefault(name, []).append(action)
    for kind, values in defaults.items():
        place = (*under, kind)
        if kind not in names:
            yield place, f'there is no kind, API or product "{kind}"{suggest(kind, names)}'
            continue
        params = {param.api: param for action in names[kind] for param in action.params}
        for name, value in values.items():
            if name == "Region":
                continue
            if name not in params:
                why = f'"{kind}" has no parameter "{name}"{suggest(name, params)}'
                yield (*place, name), why
                continue
            try:
                params[name].type.read(str(value), 0.0)
            except ValueError:
                yield (*place, name), f"is not {params[name].type.description}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest known word, or nothing."""
    near = difflib.get_close_matches(word[:64], list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _why(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "is not a key that is known here"
        case "missing":
            return "is required"
        case "string_pattern_mismatch":
            return "is not an id of the right kind (users U…, usergroups S…, channels C…)"
        case "too_short":
            return "may not be empty"
        case "value_error":
            return _flat(str(error["msg"]).removeprefix("Value error, "))
        case _:
            return _flat(str(error["msg"])).lower()


def _line(source: str, lines: Mapping[tuple[Any, ...], int], loc: tuple[Any, ...], why: str) -> str:
    at = loc
    while at not in lines and at:
        at = at[:-1]
    number = f":{lines[at]}" if at in lines else ""
    return _flat(f"{source}{number}: {_path(loc)}: {why}" if loc else f"{source}: {why}")


def _path(loc: tuple[Any, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.lstrip(".")


def _flat(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:500]
