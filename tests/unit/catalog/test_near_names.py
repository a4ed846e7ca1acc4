"""Which names may be meant by one that somebody typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.near_names import near_names

CYRILLIC_CAM = "\u0441\u0430\u043c7"
CYRILLIC_CAM_UPPER = "\u0421\u0410\u041c7"


@pytest.mark.parametrize(
    ("typed", "live"),
    [
        ("Stream1", "stream1"),
        ("STREAM1", "stream1"),
        ("main-stage", "Main-Stage"),
        ("cam7", "cam-7"),
        ("cam_7", "cam-7"),
        ("cam 7", "cam-7"),
        ("cam.7", "cam7"),
        ("cam07", "cam7"),
        ("cam-007", "cam-7"),
        ("CAM_07", "cam7"),
        ("cam-01-02", "cam-1-2"),
        ("\uff43\uff41\uff4d\uff17", "cam7"),
        ("c\u00e1mara", "camara"),
        ("ca\u0301mara", "c\u00e1mara"),
        ("cam\u200b7", "cam7"),
        (CYRILLIC_CAM, "cam7"),
        (CYRILLIC_CAM_UPPER, "cam7"),
        (CYRILLIC_CAM_UPPER, CYRILLIC_CAM),
        ("\u039d\u0391\u039e\u039f\u03a3", "\u03bd\u03b1\u03be\u03bf\u03c2"),
        ("streaml", "stream1"),
        ("streamI", "stream1"),
        ("camO7", "cam07"),
        ("camO7", "cam7"),
        ("stream", "stream1"),
        ("main", "main-stage"),
        ("stage", "main-stage"),
        ("main-stage", "main-stage-hd"),
        ("prod-cam-1", "cam-1"),
        ("straem1", "stream1"),
        ("Straem1", "stream1"),
        ("main-staeg", "main-stage"),
    ],
)
def test_near_name_is_recognised_either_way_round(typed: str, live: str) -> None:
    """What people confuse makes two names near, whichever of them was typed."""
    assert near_names(typed, [live, "quite-other"]) == (live,)
    assert near_names(live, [typed, "quite-other"]) == (typed,)


@pytest.mark.parametrize(
    ("typed", "live"),
    [
        ("stream1", "stream1"),
        ("cam-1", "cam-2"),
        ("cam-1", "cam-10"),
        ("1cam", "11cam"),
        ("cam-1-1", "cam-11"),
        ("cam-1", "cam-2-hd"),
        ("a", "a-b"),
        ("alpha", "omega"),
        ("", "stream1"),
        ("--", "__"),
    ],
)
def test_other_names_and_numbers_of_a_series_are_not_near(typed: str, live: str) -> None:
    """A number of a series is a name of its own, and so is what looks different."""
    assert near_names(typed, [live]) == ()
    assert near_names(live, [typed]) == ()


def test_nearest_name_comes_first() -> None:
    """A name that is equal once folded precedes a longer one, and that a misspelt one."""
    live = ["stream1", "straem1", "stream1-hd", "cam-2"]
    assert near_names("Stream1", live) == ("stream1", "stream1-hd", "straem1")
    assert near_names("straem1", ["stream2", "stream1"]) == ("stream1", "stream2")


@given(st.text(), st.lists(st.text(), max_size=5))
def test_near_names_are_among_the_others(typed: str, others: list[str]) -> None:
    """Any text has an answer: names of the list, each once, and never the name itself."""
    found = near_names(typed, others)
    assert set(found) <= set(others) - {typed}
    assert len(set(found)) == len(found) <= 3
