"""Cells of a CSV export are inert in a terminal and in a spreadsheet."""

import csv
import unicodedata

import pytest

from bot.audit.csv_rows import cell, line
from bot.model.actions import Json


def test_cell_shows_no_escape_characters() -> None:
    """Control characters and what turns text around are replaced; the rest stays."""
    hostile = "".join(map(chr, range(0x20))) + "\x7f\x9b\u202e\u2066\u200b\u2060\ufeff Grüße 直播"
    values: list[Json] = [hostile, [hostile], {"a": hostile}]
    for value in values:
        shown = cell(value).replace("\t", "").replace("\n", "").replace("\r", "")
        assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cf")]
        assert shown.endswith(("Grüße 直播", '直播"]', '直播"}'))


@pytest.mark.parametrize("before", ["", " ", "\u00a0 ", "\u3000", "\t", "\r", "\n"], ids=ascii)
@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20", ids=ascii)
def test_cell_is_no_formula(sign: str, before: str) -> None:
    """A text that a spreadsheet would compute, after blanks too, is quoted; a number stays one."""
    hostile = f'{before}{sign}HYPERLINK("http://a.b","c")'

    assert cell(hostile) == f"'{hostile}"
    assert next(csv.reader([line([hostile, -1, 2.5])], strict=True))[1:] == ["-1", "2.5"]


@pytest.mark.parametrize("hidden", ["\ufeff", "\u200b", "\x1b", "\x00"], ids=ascii)
def test_cell_begins_with_what_is_seen(hidden: str) -> None:
    """What shows nothing hides no formula behind it."""
    assert cell(f"{hidden}=1+1") == "\ufffd=1+1"
