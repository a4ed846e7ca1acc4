"""What is said of a failure: to those on call what they can do, to the owner what to mend; pure."""

from bot.catalog.error_codes import Explanation, Sort, explain
from bot.model.actions import Action
from bot.model.operations import Operation
from bot.redact import redact
from handlers.messages.contacts import Contacts
from handlers.messages.mrkdwn import code, render_sentence
from handlers.messages.operation_text import error_message_text, is_local
from handlers.messages.wording import is_stop

_OF_THE_OWNER = {
    Sort.KEY: "The bot's Tencent Cloud key was refused.",
    Sort.CLOCK: "The clock of the bot's machine is wrong.",
    Sort.PERMISSION: "The bot's Tencent Cloud key may not do this.",
    Sort.OURS: "The bot sent something that Tencent Cloud does not accept.",
    Sort.GONE: "Tencent Cloud no longer offers this.",
}
"""What those on call read where only the bot's owner can mend it."""

_OF_THE_ACCOUNT = (Sort.ACCOUNT, Sort.QUOTA)


def failure_lines(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    """Describe on the card why it failed, and what to do now, a line each."""
    if not operation.code:
        why = render_sentence(operation.detail, 600)
        if is_local(action):
            return [why]
        return [f"{why} It did not run.".strip(), *_by_hand(operation, action, to)]
    explained = explain(operation.code, action)
    if explained.sort in _OF_THE_OWNER:
        return [
            _OF_THE_OWNER[explained.sort],
            *_by_hand(operation, action, to),
            _tell(operation, to),
        ]
    if explained.sort in _OF_THE_ACCOUNT:
        return [explained.means, _tell(operation, to)]
    said = error_message_text(operation)
    return [f"{explained.means} {explained.next_step}", said, _ids(operation)]


def failure_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    """Describe in the thread what came back, and how it is mended, a line each."""
    detail = render_sentence(operation.detail, 600)
    if not operation.code and is_local(action):
        return [f"*Failed.* {detail}"]
    if not operation.code:
        return [
            f"*Failed.* {detail} It did not run.",
            f"If this keeps happening, tell {to.owner_text}.",
        ]
    explained = explain(operation.code, action)
    return [
        f"*Failed* with {code(operation.code)}: {explained.means}",
        detail if operation.detail not in ("", operation.error_message) else "",
        f"{_addressee(explained, to)}{explained.next_step}",
    ]


def _addressee(explained: Explanation, to: Contacts) -> str:
    by_owner = explained.sort in (*_OF_THE_OWNER, *_OF_THE_ACCOUNT)
    return f"For {to.owner_text}: " if by_owner else ""


def _by_hand(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    if not is_stop(action):
        return [f"Do it in {to.console(action, operation.account)}."]
    return [f"Stop it in {to.console(action, operation.account)}."]


def _tell(operation: Operation, to: Contacts) -> str:
    return f"Tell {to.owner_text}: {_ids(operation)}"


def _ids(operation: Operation) -> str:
    """Name the code and the RequestId, as the owner or Tencent's support asks for them."""
    request_id = f"RequestId {code(operation.request_id)}" if operation.request_id else ""
    return ", ".join(filter(None, (code(redact(operation.code), 80), request_id)))
