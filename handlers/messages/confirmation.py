"""The card that waits for its asker to confirm: read in seconds, so at most 35 words; pure.

What there is no room for is behind its button *Details*, and on the card once that is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.model.actions import Action
from bot.model.operations import Operation
from handlers.messages.annotations import case_text, reason_text, runbook_link
from handlers.messages.blocks import TEXT_MOST, Block, Message, context, section
from handlers.messages.buttons import choice_buttons
from handlers.messages.mrkdwn import code, count_words, format_clock, truncate, user
from handlers.messages.operation_text import (
    live_now_text,
    nothing_is_live_text,
    request_text,
    state_change_text,
)
from handlers.messages.state_text import condition_text, headline, impact_text, read_sentences
from handlers.messages.wording import details, lower_deed

MOST = 35
"""Words on the card, those of its buttons included."""

_APART = " · "

_ALWAYS, _TIME, _PARAM, _LIVE_NOW, _IMPACT, _READ, _REASON, _CASE, _RUNBOOK = range(9)
"""Why a part is there; what comes later here is left out sooner."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence of the card, or a piece of its small print.

    Attributes:
        before: What parts it from the one before.
        long: The same at full length, where that is not meant for the card.
    """

    rank: int
    text: str
    before: str = " "
    long: str = ""


def confirmation(operation: Operation, action: Action | None) -> Message:
    """Render the card; its text alone says everything."""
    lines, small = _lines(operation, action), _small_print(operation, action)
    request = lower_deed(operation, action)
    parts = [part for line in lines for part in line] + small
    shown = _fitting(parts, MOST - _words_of(choice_buttons(operation, request)))
    more = len(shown) < len(parts) or any(part.long for part in parts)
    if more:
        shown = _fitting(parts, MOST - _words_of(choice_buttons(operation, request, more=True)))
    body = "\n".join(filter(None, (_joined(line, shown) for line in lines)))
    blocks = (
        section(body),
        context(_joined(small, shown)),
        choice_buttons(operation, request, more=more),
    )
    return Message(truncate(_whole(lines, small), TEXT_MOST), blocks)


def confirmation_details(operation: Operation, action: Action | None) -> Message:
    """Render all that is known of it, with Tencent's names and the rule, for one person."""
    whole = _whole(_lines(operation, action), _small_print(operation, action))
    rule = f"rule {code(operation.rule)}" if operation.rule else ""
    small = " · ".join(filter(None, (request_text(operation, action), rule)))
    return Message(truncate(f"{whole}\n{small}", TEXT_MOST), (section(whole), context(small)))


def _lines(operation: Operation, action: Action | None) -> list[list[_Part]]:
    read = read_sentences(operation, action, " when it was asked")
    warning = nothing_is_live_text(operation, action)
    return [
        _parts(_ALWAYS, headline(operation, action)),
        [*_parts(_ALWAYS, warning), *_parts(_LIVE_NOW, warning and live_now_text(operation))],
        _parts(_ALWAYS, state_change_text(operation, action)),
        [*_parts(_READ, *read), *_parts(_IMPACT, impact_text(action, read))],
        _parts(_ALWAYS, condition_text(operation)),
    ]


def _small_print(operation: Operation, action: Action | None) -> list[_Part]:
    given = operation.origin.reason_code
    # Its text was read when it was chosen.
    reason = _Part(_REASON, f"reason {code(given)}", _APART, reason_text(operation))
    return [
        *_parts(_ALWAYS, user(operation.actor.user)),
        *_parts(_TIME, format_clock(operation.asked_at)),
        *_parts(_PARAM, *details(operation, action), before=_APART),
        *([reason] if given else []),
        *_parts(_CASE, case_text(operation), before=_APART),
        *_parts(_RUNBOOK, runbook_link(operation), before=_APART),
    ]


def _parts(rank: int, *texts: str, before: str = " ") -> list[_Part]:
    return [_Part(rank, text, before) for text in texts if text]


def _fitting(parts: Sequence[_Part], room: int) -> list[_Part]:
    """Return the parts that so many words have room for, what matters most first."""
    found: list[_Part] = []
    for part in sorted(parts, key=lambda one: one.rank):
        words = count_words(part.text)
        if part.rank == _ALWAYS or words <= room:
            found.append(part)
            room -= words
    return found


def _joined(parts: Sequence[_Part], shown: Sequence[_Part]) -> str:
    first, *others = [part for part in parts if part in shown] or [_Part(_ALWAYS, "")]
    return first.text + "".join(f"{part.before}{part.text}" for part in others)


def _whole(lines: Sequence[Sequence[_Part]], small: Sequence[_Part]) -> str:
    full = [[replace(one, text=one.long or one.text) for one in line] for line in (*lines, small)]
    return "\n".join(_joined(line, line) for line in full if line)


def _words_of(buttons: Block) -> int:
    return sum(count_words(one["text"]["text"]) for one in buttons["elements"])
