"""The gallery shows what the bot says."""

from tests.tools.gallery import GALLERY, written


def test_gallery_matches_messages() -> None:
    """Every message in the gallery is what the code renders."""
    assert written() == GALLERY.read_text(), "run python -m tests.tools.gallery"
