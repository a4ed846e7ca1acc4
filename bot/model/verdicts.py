"""What the policy answers to a command."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model.actions import Approval
from bot.model.commands import Command


@dataclass(frozen=True, slots=True)
class Verdict:
    """The policy lets it pass.

    Attributes:
        rule: Where in the policy file, e.g. `roles.oncall.allow[0]`.
        approvers: Roles whose members may approve.
        expires: Seconds until an unanswered approval lapses.
        needed: How many of them it takes.
        remind: Seconds after which an unanswered card reminds.
        escalates_to: Roles that may approve too, one more with each reminder.
        break_glass_rule: The rule under which an emergency needs no second person; empty for none.
        runbook: Address of what to read about it, or empty.
        lacking: Why the asker may not do it themselves, where it is only a request.
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
    """A request as it would leave, without key, signature and secret parameters."""

    method: str
    url: str
    headers: Mapping[str, str]
    payload: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The policy does not let it pass.

    Attributes:
        check: Name of the check that said no.
        reason: One sentence for the asker, with who could do it.
        rule: The rule that forbids it, where one does.
        request_from: Roles whose members may be asked to let it pass all the same.
    """

    check: str
    reason: str
    rule: str = ""
    request_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What would become of a command.

    Attributes:
        people: Ids of those who could approve it: users and user groups.
        request: None where nothing would be sent, or for whoever may not see it.
        hidden: Whoever asked may not see what would be sent.
        case: The case it would belong to, or empty.
    """

    command: Command
    verdict: Verdict | Denied
    people: tuple[str, ...]
    request: RequestPreview | None
    hidden: bool = False
    case: str = ""
