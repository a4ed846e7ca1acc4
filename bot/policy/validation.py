"""Problems of a policy file that is well-formed: what it names must exist and fit together."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from bot.model.actions import Action, Approval
from bot.policy import conditions
from bot.policy.conditions import Condition
from bot.policy.evidence import shows_stream
from bot.policy.schema import AccountSettings, EvidenceSettings, Limit, Policy, Rule
from bot.times import parse_duration

Location: TypeAlias = tuple[str | int, ...]
"""Keys and indexes that lead to a value in the file."""

Problem: TypeAlias = tuple[Location, str]
"""The location of a value, and what is wrong with it."""

RESERVED_WORDS = frozenset({"audit", "help", "off", "start", "status", "stop", "whoami"})
"""Words that no target may have for a name."""


def validate(policy: Policy, actions: Sequence[Action]) -> Iterable[Problem]:
    """Return the problems of a well-formed file: names of nothing, and settings that conflict."""
    for number, limit in enumerate(policy.limits):
        entry = ("limits", number)
        yield from _patterns((*entry, "actions"), limit.actions, actions)
        yield from _conditions(entry, limit.where, limit.actions, actions)
        yield from _account_patterns(policy, (*entry, "accounts"), limit.accounts or ())
        if limit.deny == (limit.approval is not None or limit.reason is not None):
            yield entry, "needs either deny: true or an approval or reason: required"
        yield from _reason_needed(policy, entry, limit, actions)
    for number, runbook in enumerate(policy.runbooks):
        yield from _patterns(("runbooks", number, "actions"), runbook.actions, actions)
        yield from _conditions(("runbooks", number), runbook.where, runbook.actions, actions)
    for number, evidence in enumerate(policy.evidence):
        yield from _evidence(policy, ("evidence", number), evidence, actions)
    for name, role in policy.roles.items():
        for number, rule in enumerate(role.allow):
            yield from _rule(policy, ("roles", name, "allow", number), rule, actions)
    yield from _defaults(("defaults",), policy.defaults, actions)
    yield from _default_reasons(policy)
    yield from _accounts(policy, actions)
    taken = RESERVED_WORDS | {name for a in actions for name in (a.words, a.api.casefold())}
    for name in policy.targets:
        if name.casefold() in taken:
            yield ("targets", name), "is a word of the bot's own, so nobody could say it"


def _rule(
    policy: Policy, location: Location, rule: Rule, actions: Sequence[Action]
) -> Iterable[Problem]:
    yield from _patterns((*location, "actions"), rule.actions, actions)
    yield from _conditions(location, rule.where, rule.actions, actions)
    yield from _account_patterns(policy, (*location, "accounts"), rule.accounts or ())
    if rule.accounts is None and len(policy.accounts) > 1:
        # Otherwise an account that is added would be open at once to everyone who has another.
        several = ", ".join(policy.accounts)
        yield (*location, "accounts"), f"is missing; there are {several}: say for which it counts"
    for key, roles in (("approvers", rule.approvers or ()), ("then", rule.then)):
        for at, other in enumerate(roles):
            if other not in policy.roles:
                yield (
                    (*location, key, at),
                    f'there is no role "{other}"' + suggest(other, policy.roles),
                )
    yield from _durations(location, rule)
    yield from _reason_needed(policy, location, rule, actions)
    if rule.requests and rule.approval is Approval.SECOND_PERSON:
        yield (*location, "requests"), "needs a rule whose people may do it without a second person"


def _reason_needed(
    policy: Policy, location: Location, entry: Rule | Limit, actions: Sequence[Action]
) -> Iterable[Problem]:
    if entry.reason is None:
        return
    covered = (a for a in actions if any(fnmatchcase(a.api, p) for p in entry.actions))
    if not policy.reasons:
        yield (*location, "reason"), "is required, but the file has no reasons to give"
    elif not any(action.takes_reason for action in covered):
        yield (*location, "reason"), "is never asked for a read or a hold"


def _evidence(
    policy: Policy, entry: Location, evidence: EvidenceSettings, actions: Sequence[Action]
) -> Iterable[Problem]:
    yield from _patterns((*entry, "actions"), evidence.actions, actions)
    yield from _conditions(entry, evidence.where, evidence.actions, actions)
    yield from _account_patterns(policy, (*entry, "accounts"), evidence.accounts or ())
    covered = (a for a in actions if any(fnmatchcase(a.api, p) for p in evidence.actions))
    if not any(map(shows_stream, covered)):
        yield (*entry, "actions"), "stops no stream, so there is nothing to take"
    if evidence.take == "snapshot" and evidence.template is None:
        yield (*entry, "template"), "is missing; a snapshot needs the id of Tencent's template"


def _account_patterns(
    policy: Policy, location: Location, patterns: Sequence[str]
) -> Iterable[Problem]:
    names = policy.account_names
    for at, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (*location, at), f'there is no account "{pattern}"{suggest(pattern, names)}'


def _accounts(policy: Policy, actions: Sequence[Action]) -> Iterable[Problem]:
    taken: dict[str, str] = {}
    keyless = ""
    for name, account in policy.accounts.items():
        location = ("accounts", name)
        yield from _defaults((*location, "defaults"), account.defaults, actions)
        yield from _credentials(location, account)
        if not account.variables:
            if keyless:
                why = f"has no secret_id and secret_key, and {keyless} has the bot's own already"
                yield location, why
            keyless = keyless or name
        for at, channel in enumerate(account.channels):
            if (other := taken.setdefault(channel, name)) != name:
                yield (*location, "channels", at), f"is a channel of the account {other} already"
        regions = {
            region
            for action in actions
            for site, offered in (action.regions or {}).items()
            if account.site in (None, site)
            for region in offered
        }
        if account.region is not None and account.region not in regions:
            why = f'no action is offered in "{account.region}"{suggest(account.region, regions)}'
            yield (*location, "region"), why


def _credentials(location: Location, account: AccountSettings) -> Iterable[Problem]:
    named = account.variables
    if named and not {"secret_id", "secret_key"} <= named.keys():
        absent = "secret_key" if account.secret_id else "secret_id"
        yield (*location, absent), "is missing; id and key go together"
    if len(set(named.values())) < len(named):
        yield location, "names the same variable twice"


def _durations(location: Location, rule: Rule) -> Iterable[Problem]:
    for name, given in (("expires", rule.expires), ("remind", rule.remind)):
        try:
            parse_duration(given or "1s")
        except ValueError as error:
            yield (*location, name), f"is no length of time: {error}"
            return
    if rule.remind is not None and parse_duration(rule.remind) >= rule.expires_in:
        yield (*location, "remind"), f"is not shorter than expires ({rule.expires})"


def _patterns(
    location: Location, patterns: Sequence[str], actions: Sequence[Action]
) -> Iterable[Problem]:
    names = [action.api for action in actions if not action.allowed_by]
    by_other = {action.api: action.allowed_by for action in actions if action.allowed_by}
    for at, pattern in enumerate(patterns):
        if any(fnmatchcase(name, pattern) for name in names):
            continue
        if pattern in by_other:
            yield (*location, at), f'"{pattern}" goes by {by_other[pattern]}: name that'
        else:
            yield (*location, at), f'there is no action "{pattern}"{suggest(pattern, names)}'


def _conditions(
    location: Location,
    where: Mapping[str, Condition] | None,
    patterns: Sequence[str],
    actions: Sequence[Action],
) -> Iterable[Problem]:
    if not where:
        return
    named = (action for action in actions if not action.allowed_by)
    chosen = [a for a in named if any(fnmatchcase(a.api, p) for p in patterns)]
    parameters = [_parameters_of(action) for action in chosen]
    known = set().union(*parameters)
    for name, condition in where.items():
        if name in known and (why := _flaw(name, condition, chosen)):
            yield (*location, "where", name), why
        if name not in known:
            why = f'none of these actions has a parameter "{name}"{suggest(name, known)}'
            yield (*location, "where", name), why
    if known.issuperset(where) and not any(names.issuperset(where) for names in parameters):
        yield (*location, "where"), "no action has all of these parameters, so it would never hold"


def _flaw(name: str, condition: Condition, actions: Sequence[Action]) -> str:
    """Return why no value that one of the actions takes could match; empty if one could."""
    flaws: list[str] = []
    for action in actions:
        if name == "Region":
            regions = {one for offered in (action.regions or {}).values() for one in offered}
            if any(conditions.region_matches(region, condition) for region in regions):
                return ""
            if regions:
                why = "is no region where these actions are offered"
                flaws.append(why + suggest(str(condition), regions))
        for param in (param for param in action.params if name in param.names):
            try:
                conditions.read(param, condition)
            except ValueError as error:
                flaws.append(str(error))
            else:
                return ""
    return flaws[0] if flaws else ""


def _parameters_of(action: Action) -> set[str]:
    region = {"Region"} if action.regions is not None else set[str]()
    return region | {param.api for param in action.params}


def _defaults(
    under: Location, defaults: Mapping[str, Mapping[str, Any]], actions: Sequence[Action]
) -> Iterable[Problem]:
    names: dict[str, list[Action]] = {}
    for action in actions:
        for name in (action.api, action.words, action.product.name):
            names.setdefault(name, []).append(action)
    for kind, values in defaults.items():
        location = (*under, kind)
        if kind not in names:
            yield location, f'there is no kind, API or product "{kind}"{suggest(kind, names)}'
            continue
        params = {param.api: param for action in names[kind] for param in action.params}
        for name, value in values.items():
            if name == "Region":
                continue
            if name not in params:
                why = f'"{kind}" has no parameter "{name}"{suggest(name, params)}'
                yield (*location, name), why
                continue
            try:
                params[name].type.read(str(value), 0.0)
            except ValueError:
                yield (*location, name), f"is not {params[name].type.description}"


def _default_reasons(policy: Policy) -> Iterable[Problem]:
    """Return the defaults of a reason that reasons would have to replace."""
    if not policy.reasons:
        return
    named: list[tuple[Location, Mapping[str, Mapping[str, Any]]]] = [
        (("defaults",), policy.defaults),
        *((("accounts", name, "defaults"), one.defaults) for name, one in policy.accounts.items()),
    ]
    for under, defaults in named:
        for kind, values in defaults.items():
            if _REASON in values:
                yield (*under, kind, _REASON), "is given by its code where the file has reasons"


_REASON = "Reason"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest known word, or nothing."""
    words = list(known)
    near = difflib.get_close_matches(word[:64], words, n=len(words) or 1)
    if not near:
        return ""
    matcher = difflib.SequenceMatcher(b=word[:64])

    def nearness(known_word: str) -> tuple[float, int]:
        matcher.set_seq1(known_word)
        # Of equally near words difflib takes the last in the alphabet; here the first known one.
        return matcher.ratio(), -words.index(known_word)

    return f'; did you mean "{max(near, key=nearness)}"?'
