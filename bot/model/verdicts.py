"""The policy's answers to a command."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model.actions import Approval, ResourceKey
from bot.model.commands import Command


@dataclass(frozen=True, slots=True)
class Verdict:
    """The policy allows a command.

    Attributes:
        rule: Where in the policy file, e.g. `roles.oncall.allow[0]`.
        approvers: Roles whose members may approve.
        expires: Seconds until an unanswered approval lapses.
        needed: How many of them must approve.
        remind: Seconds after which an unanswered card reminds.
        escalates_to: Roles that may approve too, one more with each reminder.
        break_glass_rule: The rule under which an emergency needs no second person; empty for none.
        runbook: Address of what to read about it, or empty.
        lacking: Why the actor may not do it without approval, for a request.
    """

    rule: str
    approval: Approval
    approvers: tuple[str, ...] = ()
    expires: float = 900.0
    needed: int = 1
    remind: float | None = None
    escalates_to: tuple[str, ...] = ()
    break_glass_rule: str = ""
    runbook: str = ""
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class RequestPreview:
    """A request as it would be sent, without key, signature and secret parameters."""

    method: str
    url: str
    headers: Mapping[str, str]
    payload: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The policy denies a command.

    Attributes:
        check: Id of the check that failed.
        reason: One sentence for the asker, with who could do it.
        rule: The rule that forbids it, where one does.
        request_from: Roles whose members may be asked to allow it.
        domains: The account's domains that may be meant in place of one that is not.
    """

    check: str
    reason: str
    rule: str = ""
    request_from: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What would happen to a command.

    Attributes:
        people: Ids of those who could approve it: users and user groups.
        request: None where nothing would be sent, or where the actor may not see it.
        hidden: The actor may not see what would be sent.
        case: The case it would belong to, or empty.
        live_instead: See `Preview`: where there is any, a ban would ask first.
    """

    command: Command
    verdict: Verdict | Denied
    people: tuple[str, ...]
    request: RequestPreview | None
    hidden: bool = False
    case: str = ""
    live_instead: tuple[ResourceKey, ...] = ()
