"""Cells of a CSV export are inert in a terminal."""

import unicodedata

from bot.audit.csv_rows import cell
from bot.model.actions import Json


def test_cell_shows_no_escape_characters() -> None:
    """Control characters and what turns text around are replaced; the rest stays."""
    hostile = "".join(map(chr, range(0x20))) + "\x7f\x9b\u202e\u2066\u200b\u2060\ufeff Grüße 直播"
    values: list[Json] = [hostile, [hostile], {"a": hostile}]
    for value in values:
        shown = cell(value).replace("\t", "").replace("\n", "").replace("\r", "")
        assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cf")]
        assert shown.endswith(("Grüße 直播", '直播"]', '直播"}'))
