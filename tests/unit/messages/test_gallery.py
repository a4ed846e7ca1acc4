"""The gallery shows what the bot says, and what it says is short."""

from tests.tools import gallery_cards, gallery_replies
from tests.tools.gallery import GALLERY, count_words, lines_of, written


def words(flow: str, title: str, to: str = "") -> int:
    entries = (*gallery_cards.entries(), *gallery_replies.entries())
    (found,) = [one for one in entries if (one.flow, one.title) == (flow, title) and to in one.to]
    return count_words(lines_of(found.shown))


def test_gallery_matches_messages() -> None:
    """Every message in the gallery is what the code renders."""
    assert written() == GALLERY.read_text(), "run python -m tests.tools.gallery"


def test_plain_stop_has_at_most_sixty_words() -> None:
    """A stop that is off shows its receipt, its card, and two messages in its thread."""
    flow = "A stop that needs nobody else"
    thread = words(flow, "sent", "thread") + words(flow, "off", "thread")

    assert words("Receipts", "asked") + words(flow, "off", "Card") + thread <= 60


def test_confirmation_has_at_most_35_words() -> None:
    """The card that its asker confirms is read in a few seconds."""
    assert words("A ban that its asker confirms", "waiting", "Card") <= 35
