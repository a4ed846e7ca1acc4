"""May this person do this here, or approve it? Facts in, reason out; no, unless a rule says yes.

CHECKS are asked in turn: each lets pass or gives a reason. `grants` finds the rules that allow.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from bot.model.actions import Action, Approval, Param
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied, Verdict
from bot.policy.schema import Limit, Policy, Role, Rule, load, schema

__all__ = [
    "CHECKS",
    "Context",
    "Explanation",
    "Permission",
    "Policy",
    "channels_of",
    "decide",
    "explain",
    "load",
    "may_approve",
    "may_audit",
    "members",
    "outsider",
    "permissions_for",
    "request",
    "roles_of",
    "schema",
    "without_bot",
]


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of who asks, and where.

    Attributes:
        home_team: The workspace the bot belongs to.
        groups: Those user groups of the policy that the person is in.
        channel: Empty from a terminal without one.
        in_channel: Whether the bot is in that channel.
    """

    person: Person
    home_team: str
    groups: frozenset[str]
    channel: str
    in_channel: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict, and how each rule stood to it."""

    verdict: Verdict | Denied
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permission:
    """What the policy makes of an action for one person in one place.

    Attributes:
        approval: None where no rule allows it.
        where: The narrowest condition in words, or empty.
        others: Roles that may.
        channels: Where else this person's own roles may.
        asks: Roles whose members may be asked to let it through here.
        forbidden: The limit that denies it to everyone, whatever its target.
        accounts: On which it is so; empty where it is the same on all.
    """

    action: Action
    approval: Approval | None
    where: str
    others: tuple[str, ...]
    channels: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    forbidden: str = ""
    accounts: tuple[str, ...] = ()


class Grant(NamedTuple):
    """A rule that lets somebody do something, the role it stands in and its place in the file."""

    role: str
    place: str
    rule: Rule


Check = Callable[[Policy, Command, Context], str | None]
"""Gives the reason for a no, or nothing."""


def own_workspace(_policy: Policy, _command: Command, facts: Context) -> str | None:
    """Only users of the bot's own workspace, and Slack must have said so."""
    return None if _at_home(facts) else _ELSEWHERE


def full_member(_policy: Policy, _command: Command, facts: Context) -> str | None:
    """No bots, guests or deactivated users."""
    return _shortfall(facts.person)


def bot_is_there(_policy: Policy, _command: Command, facts: Context) -> str | None:
    """What is done must be seen: the bot must be in the channel."""
    if not facts.in_channel:
        return "I am not in this channel, so nobody would see it. Invite me here, then ask again."
    return None


def known_account(policy: Policy, command: Command, _facts: Context) -> str | None:
    """Only accounts that the file names now."""
    if command.account in policy.account_names:
        return None
    return (
        f'The policy names no account "{command.account}" any more; '
        f"there is {', '.join(policy.account_names)}. Ask again."
    )


def not_denied(policy: Policy, command: Command, _facts: Context) -> str | None:
    """A limit that denies wins over every role."""
    if (found := _denying(policy, command)) is not None:
        return f"The policy forbids this to everyone ({found})."
    return None


def some_rule_allows(policy: Policy, command: Command, facts: Context) -> str | None:
    """Without a rule that allows it, the answer is no."""
    if grants(policy, command, facts):
        return None
    what, mine = command.action.api, roles_of(policy, facts)
    if policy.accounts:
        what += f" on the account {command.account}"
    if mine:
        begin = f"Your roles ({', '.join(mine)}) do not allow this {what} here"
    else:
        begin = f"You have no role that may run {what}"
    return f"{begin}. {_who_could(policy, command, facts, mine)}"


def who_could(policy: Policy, command: Command, facts: Context) -> str:
    """Say in a sentence who may run a command here, or that this person may."""
    if grants(policy, command, facts):
        return "You may do that here."
    return _who_could(policy, command, facts, roles_of(policy, facts))


CHECKS: tuple[Check, ...] = (
    own_workspace,
    full_member,
    bot_is_there,
    known_account,
    not_denied,
    some_rule_allows,
)


def decide(policy: Policy, command: Command, facts: Context) -> Verdict | Denied:
    """Let a command pass, with the approval it needs, or say why not.

    The reason is plain text; channel ids stand in it as they are.
    """
    for check in CHECKS:
        reason = check(policy, command, facts)
        if reason is not None:
            limit = _denying(policy, command) if check is not_denied else None
            asks = _asked(policy, command, facts) if check is some_rule_allows else ()
            roles = tuple(dict.fromkeys(grant.role for grant in asks))
            return Denied(check.__name__, reason, limit or "", roles)
    found = grants(policy, command, facts)
    role, place, rule = min(found, key=lambda grant: grant.rule.approval.rank)
    verdict = Verdict(
        place,
        rule.approval,
        (role,) if rule.approvers is None else rule.approvers,
        rule.lasts,
        rule.approvals_needed,
        rule.reminds,
        rule.then,
        runbook=_runbook(policy, command, rule),
    )
    limited = _limited(policy, command, verdict)
    return replace(limited, break_glass_rule=_glass(policy, command, limited, found))


def _glass(policy: Policy, command: Command, verdict: Verdict, found: Sequence[Grant]) -> str:
    """Give the rule under which an emergency may go without the second person: limits win."""
    asked = _limited(policy, command, replace(verdict, approval=Approval.NONE)).approval
    if verdict.approval is not Approval.SECOND_PERSON or asked is Approval.SECOND_PERSON:
        return ""
    return next((grant.place for grant in found if grant.rule.break_glass), "")


def request(policy: Policy, command: Command, facts: Context) -> Verdict | Denied:
    """Let somebody without the right ask those who have it; it is theirs to approve.

    Only where rules say `requests: true`, and where their people may do it without a second one.
    """
    for check in CHECKS:
        if check is not some_rule_allows and (reason := check(policy, command, facts)) is not None:
            return Denied(check.__name__, reason)
    asked = _asked(policy, command, facts)
    if not asked:
        return Denied("requests", "The policy lets nobody ask for this on behalf of others.")
    rule = asked[0].rule
    mine = roles_of(policy, facts)
    return Verdict(
        asked[0].place,
        Approval.SECOND_PERSON,
        tuple(dict.fromkeys(grant.role for grant in asked)),
        rule.lasts,
        remind=rule.reminds if rule.remind else None,
        runbook=_runbook(policy, command, rule),
        lacking=f"as {', '.join(mine)} they may not do it here" if mine else "they have no role",
    )


def _asked(policy: Policy, command: Command, facts: Context) -> list[Grant]:
    """Give the rules whose people may be asked to do this here for somebody else."""
    return [
        Grant(name, place, rule)
        for name, role in policy.roles.items()
        for place, rule in _rules(name, role)
        if rule.requests
        and _mismatch(rule, command, facts) is None
        and _limited(policy, command, Verdict(place, rule.approval)).approval
        is not Approval.SECOND_PERSON
    ]


def _runbook(policy: Policy, command: Command, rule: Rule) -> str:
    """Give what to read about it: the action's or target's own, or the rule's."""
    for book in policy.runbooks:
        if _covers(book.actions, command) and all(
            _meets(command, name, pattern) for name, pattern in (book.where or {}).items()
        ):
            return book.link
    return rule.runbook or ""


def may_approve(
    policy: Policy, command: Command, facts: Context, *, asker: str, roles: Sequence[str]
) -> str | None:
    """Say why somebody may not decide over another's request; None if they may.

    Args:
        facts: Of who decides, in the place where it was asked.
        asker: User id of who asked.
        roles: Whose members may approve.
    """
    for check in (own_workspace, full_member, not_denied):
        if (reason := check(policy, command, facts)) is not None:
            return reason
    who = " or ".join(roles)
    if facts.person.user == asker:
        others = f": someone in {who}" if who else ""
        return f"You asked for this, so somebody else has to decide{others}."
    if not who:
        return "The policy lets nobody approve this: its list of approvers is empty."
    mine = roles_of(policy, facts)
    if set(mine).isdisjoint(roles):
        have = f"you are in {', '.join(mine)}" if mine else "you have no role"
        return f"Only someone in {who} may decide this; {have}."
    return None


def members(policy: Policy, roles: Sequence[str]) -> tuple[str, ...]:
    """Give the ids of the users and user groups that roles consist of, in their order."""
    found = [policy.roles[name].members for name in roles if name in policy.roles]
    return tuple(dict.fromkeys(id_ for one in found for id_ in (*one.usergroups, *one.users)))


def outsider(facts: Context) -> str | None:
    """Say why somebody may not so much as look; None for a full member of the workspace."""
    return _shortfall(facts.person) if _at_home(facts) else _ELSEWHERE


OUTSIDE = frozenset({own_workspace.__name__, full_member.__name__})
"""The checks that only outsiders fail."""


def without_bot(facts: Context) -> Context:
    """Give the same facts where the bot is not in the channel."""
    return replace(facts, in_channel=False)


def roles_of(policy: Policy, facts: Context) -> tuple[str, ...]:
    """Give the roles of a full member; nobody else has any."""
    if not _is_full_member(facts):
        return ()
    return tuple(name for name, role in policy.roles.items() if _is_member(role, facts))


def may_audit(policy: Policy, facts: Context) -> bool:
    """Say whether somebody may read of everything that anyone asked."""
    return any(policy.roles[name].audit for name in roles_of(policy, facts))


def grants(policy: Policy, command: Command, facts: Context) -> list[Grant]:
    """Give every rule that lets this person do this here."""
    return [
        Grant(name, place, rule)
        for name in roles_of(policy, facts)
        for place, rule in _rules(name, policy.roles[name])
        if _mismatch(rule, command, facts) is None
    ]


def explain(policy: Policy, command: Command, facts: Context) -> Explanation:
    """Say what `decide` says, and how every rule and limit stood to it."""
    lines = []
    mine = roles_of(policy, facts)
    for name, role in policy.roles.items():
        if name not in mine:
            lines.append(f"roles.{name}: not a member")
            continue
        for place, rule in _rules(name, role):
            why = _mismatch(rule, command, facts)
            lines.append(f"{place}: {why or f'allows it, approval: {rule.approval.value}'}")
    for place, limit in _limits(policy):
        if _covers(limit.actions, command) and _limit_meets(limit, command):
            what = "denies it" if limit.deny else f"asks at least {limit.approval}"
            lines.append(f"{place}: {what}")
    return Explanation(decide(policy, command, facts), tuple(lines))


def permissions_for(policy: Policy, facts: Context, actions: Sequence[Action]) -> list[Permission]:
    """Say for each action what this person may do here with some target."""
    return [how for action in actions for how in _hows(policy, facts, action)]


def channels_of(policy: Policy, facts: Context) -> tuple[str, ...]:
    """Give the channels that the rules of somebody's roles name."""
    own = (rule for name in roles_of(policy, facts) for rule in policy.roles[name].allow)
    return tuple(dict.fromkeys(channel for rule in own for channel in rule.channels or ()))


def _hows(policy: Policy, facts: Context, action: Action) -> list[Permission]:
    """Say it of each account, and of those together on which it is the same."""
    found: list[Permission] = []
    for account in policy.account_names:
        how = _how(policy, facts, Command(action, {}, account=account))
        same = [one for one in found if replace(one, accounts=()) == how]
        if same:
            found[found.index(same[0])] = replace(how, accounts=(*same[0].accounts, account))
        else:
            found.append(replace(how, accounts=(account,)))
    return [replace(found[0], accounts=())] if len(found) == 1 else found


def _how(policy: Policy, facts: Context, command: Command) -> Permission:
    action, account = command.action, command.account
    mine = roles_of(policy, facts)
    able = [
        Grant(name, place, rule)
        for name, role in policy.roles.items()
        for place, rule in _rules(name, role)
        if _covers(rule.actions, command) and _on_account(rule.accounts, account)
    ]
    others = tuple(dict.fromkeys(grant.role for grant in able))
    forbidden = _forbidden(policy, command)
    if forbidden:
        return Permission(action, None, "", others, forbidden=forbidden)
    here = [g.rule for g in able if facts.in_channel and _in_channels(g.rule, facts)]
    own = [g.rule for g in able if g.role in mine]
    limit = _strictest(policy, command)
    if best := min((r for r in own if r in here), key=lambda r: r.approval.rank, default=None):
        approval = max(best.approval, limit, key=lambda a: a.rank)
        where = ", ".join(f"{name} {pattern}" for name, pattern in (best.where or {}).items())
        return Permission(action, approval, where, others)
    channels = tuple(dict.fromkeys(c for rule in own for c in rule.channels or ()))
    open_ = limit is not Approval.SECOND_PERSON and _is_full_member(facts)
    asks = [g.role for g in able if open_ and g.rule.requests and g.rule in here]
    return Permission(action, None, "", others, channels, tuple(dict.fromkeys(asks)))


def _is_full_member(facts: Context) -> bool:
    person = facts.person
    return _at_home(facts) and not (person.bot or person.guest or person.deactivated)


def _forbidden(policy: Policy, command: Command) -> str:
    """Give the limit without conditions that denies it; empty for none."""
    found = (place for place, limit in _limits(policy) if limit.deny and _is_whole(limit, command))
    return next(found, "")


def _strictest(policy: Policy, command: Command) -> Approval:
    """Give the approval that limits without conditions ask."""
    found = command.action.minimum_approval
    for _, limit in _limits(policy):
        if _is_whole(limit, command):
            found = max(found, limit.approval or found, key=lambda a: a.rank)
    return found


def _is_whole(limit: Limit, command: Command) -> bool:
    """Say whether a limit holds for a command whatever its target."""
    there = _on_account(limit.accounts, command.account)
    return there and limit.where is None and _covers(limit.actions, command)


# --- matching ----------------------------------------------------------------------


def _rules(name: str, role: Role) -> Iterable[tuple[str, Rule]]:
    for number, rule in enumerate(role.allow):
        yield f"roles.{name}.allow[{number}]", rule


def _limits(policy: Policy) -> Iterable[tuple[str, Limit]]:
    for number, limit in enumerate(policy.limits):
        yield f"limits[{number}]", limit


def _at_home(facts: Context) -> bool:
    person = facts.person
    return bool(facts.home_team) and person.team == facts.home_team and not person.stranger


_ELSEWHERE = "Only users of this workspace may use this bot."


def _shortfall(person: Person) -> str | None:
    """Say what somebody lacks of a full member."""
    if person.bot:
        return "Bots may not use this bot."
    if person.guest:
        return "Guests have no role in the policy, whatever it says of them."
    return "This user is deactivated." if person.deactivated else None


def _is_member(role: Role, facts: Context) -> bool:
    return facts.person.user in role.members.users or not facts.groups.isdisjoint(
        role.members.usergroups
    )


def _covers(patterns: Sequence[str], command: Command) -> bool:
    return any(fnmatchcase(command.action.api, pattern) for pattern in patterns)


def _on_account(patterns: Sequence[str] | None, account: str) -> bool:
    return patterns is None or any(fnmatchcase(account, pattern) for pattern in patterns)


def _in_channels(rule: Rule, facts: Context) -> bool:
    return rule.channels is None or facts.channel in rule.channels


def _mismatch(rule: Rule, command: Command, facts: Context) -> str | None:
    """Say why a rule does not allow a command; None if it does."""
    if not _covers(rule.actions, command):
        return f"does not list {command.action.api}"
    if not _on_account(rule.accounts, command.account):
        return f"holds on the account {' or '.join(rule.accounts or ())} only"
    if not _in_channels(rule, facts):
        return f"holds in {', '.join(rule.channels or ()) or 'no channel'} only"
    for name, pattern in (rule.where or {}).items():
        if not _meets(command, name, pattern):
            return f"wants {name} to be {pattern}"
    return None


def _meets(command: Command, name: str, pattern: str) -> bool:
    values = _values(command, name)
    return bool(values) and all(_like(command.action.param(name), v, pattern) for v in values)


def _limit_meets(limit: Limit, command: Command) -> bool:
    """Say whether a limit's conditions hold.

    A parameter that the action has but the command leaves out is filled in by Tencent Cloud:
    it could be anything, so the limit holds. One that the action does not have cannot hold.
    """
    if not _on_account(limit.accounts, command.account):
        return False
    for name, pattern in (limit.where or {}).items():
        values = _values(command, name)
        if not values:
            if command.action.param(name) is None:
                return False
        elif not any(_like(command.action.param(name), value, pattern) for value in values):
            return False
    return True


def _values(command: Command, name: str) -> list[str]:
    """Give what a condition looks at: of a list, each entry."""
    if name == "Region":
        return [command.region] if command.region else []
    param = next((p for p in command.action.params if name in p.names), None)
    value = command.params.get(param.api if param else name)
    if isinstance(value, list):
        return list(map(str, value))
    return [] if value is None else [str(value)]


def _like(param: Param | None, value: str, pattern: str) -> bool:
    if param is not None and param.word == "domain":
        # Host names are the same in any case.
        return fnmatchcase(value.lower(), pattern.lower())
    return fnmatchcase(value, pattern)


def _limited(policy: Policy, command: Command, verdict: Verdict) -> Verdict:
    """Raise the approval to what the action itself and the limits ask."""
    if command.action.minimum_approval.rank > verdict.approval.rank:
        verdict = replace(verdict, approval=command.action.minimum_approval)
    for place, limit in _limits(policy):
        asked = limit.approval
        if asked is None or not _covers(limit.actions, command):
            continue
        if _limit_meets(limit, command) and asked.rank > verdict.approval.rank:
            verdict = replace(verdict, approval=asked, rule=f"{verdict.rule} + {place}")
    return verdict


def _denying(policy: Policy, command: Command) -> str | None:
    return next(
        (
            place
            for place, limit in _limits(policy)
            if limit.deny and _covers(limit.actions, command) and _limit_meets(limit, command)
        ),
        None,
    )


def _who_could(policy: Policy, command: Command, facts: Context, mine: Sequence[str]) -> str:
    """Say who could: in which other channel oneself, or which roles."""
    channels = [
        channel
        for name in mine
        for _, rule in _rules(name, policy.roles[name])
        if rule.channels
        and _mismatch(rule, command, replace(facts, channel=rule.channels[0])) is None
        for channel in rule.channels
    ]
    if channels:
        return f"You may in {', '.join(dict.fromkeys(channels))}."
    able = _roles_that_could(policy, command, facts)
    if able:
        return f"Ask someone in {' or '.join(able)}."
    return "The policy allows it to nobody; ask whoever keeps the policy file."


def _roles_that_could(policy: Policy, command: Command, facts: Context) -> list[str]:
    here: list[str] = []
    elsewhere: list[str] = []
    for name, role in policy.roles.items():
        for _, rule in _rules(name, role):
            places = [(facts.channel, here)]
            places += [(channel, elsewhere) for channel in (rule.channels or ())[:1]]
            for channel, found in places:
                if _mismatch(rule, command, replace(facts, channel=channel)) is None:
                    found.append(name)
                    break
    return list(dict.fromkeys(here)) or list(dict.fromkeys(elsewhere))
