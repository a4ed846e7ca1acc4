"""The gallery shows what the bot says, and what it says is short, whichever action it is about."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Action, Approval, Effect, Reading
from bot.model.operations import LiveBefore, Operation, Preview, State
from handlers.messages import cards, endings
from handlers.messages.blocks import Message
from tests.tools import gallery_cards, gallery_replies
from tests.tools.gallery import GALLERY, count_words, lines_of, written
from tests.tools.gallery_operations import AT, REQUEST_ID, operation

CHANGES = [action for action in ACTIONS if action.effect is not Effect.READ]
STOPS = [action for action in CHANGES if action.effect is Effect.STOP]


def words(shown: Message) -> int:
    return count_words(lines_of(shown))


def lines(flow: str, title: str) -> list[str]:
    entries = (*gallery_cards.entries(), *gallery_replies.entries())
    (found,) = [one for one in entries if (one.flow, one.title) == (flow, title)]
    return lines_of(found.shown)


def readings(action: Action, given: Operation) -> Iterator[Reading]:
    """Yield what can be read of what an action touches, with a value for each field."""
    for template in (one for api in action.impact_reads for one in by_api(api).readings):
        if (
            given.params.keys() >= {*template.given}
            and not given.params.keys() & template.not_given
        ):
            yield Reading(template.words, ("value",) * len(template.fields))


def waiting(action: Action) -> Operation:
    """Return what waits for its asker, with all that could be read of what it touches."""
    of = operation(action.api, State.WAITING, approval=Approval.CONFIRM, expires_at=AT + 900)
    on = action.effect_spec.resource_type.on
    return replace(of, preview=Preview(on, readings=tuple(readings(action, of))))


def test_gallery_matches_messages() -> None:
    """Every message in the gallery is what the code renders."""
    assert written() == GALLERY.read_text(), "run python -m tests.tools.gallery"


@pytest.mark.parametrize("action", STOPS, ids=lambda one: one.api)
def test_plain_stop_has_at_most_sixty_words(action: Action) -> None:
    """A stop that is off shows its card, and two messages in its thread; no receipt."""
    live = LiveBefore.LIVE if action.status_read else None
    of = operation(
        action.api, State.ACCEPTED, request_id=REQUEST_ID, duration=0.045, live_before=live
    )
    seen = replace(of, verified_state=action.effect_spec.new_state or "")
    shown = [cards.card(of, action), endings.ending(of, action)]
    if live and seen.verified_state:
        shown.append(endings.verification(seen, action, "8"))

    assert sum(map(words, shown)) <= 60


@pytest.mark.parametrize("action", CHANGES, ids=lambda one: one.api)
def test_confirmation_has_at_most_35_words(action: Action) -> None:
    """The card that its asker confirms is read in a few seconds."""
    card = cards.card(waiting(action), action)

    assert words(card) <= 35, lines_of(card)


@pytest.mark.parametrize(
    ("flow", "title", "most"),
    [
        ("Help and whoami", "help", 12),
        ("Help and whoami", "whoami", 10),
        ("Help and whoami", "whoami: no role", 1),
    ],
)
def test_help_and_whoami_are_short(flow: str, title: str, most: int) -> None:
    """What is asked for at night is one look."""
    assert len(lines(flow, title)) <= most


def test_home_has_at_most_120_words() -> None:
    """The home tab of somebody on call, with one of each, is one screen of a phone."""
    assert count_words(lines("Home", "of somebody on call")) <= 120
