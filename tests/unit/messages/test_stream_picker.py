"""The options of the picker say how old what is known is, where it is not fresh."""

import pytest

from bot.operations.results import LiveList, LiveStream
from handlers.messages.stream_picker import stream_options

ONE = LiveStream("cam-1", "push.example.com", "live")


@pytest.mark.parametrize(
    ("live", "says"),
    [
        (LiveList((ONE,)), None),
        (LiveList((ONE,), 0.4), None),
        (LiveList((ONE,), 25.0), "Live 25 s ago; not checked since"),
        (LiveList((ONE,), None, {ONE: 125.0}), "Push began 2 min 5 s ago (callback, not checked)"),
    ],
)
def test_option_says_how_old_what_is_known_is(live: LiveList, says: str | None) -> None:
    """What callbacks alone tell is never offered as if it had been read."""
    (option,) = stream_options(live, ONE)
    assert option.get("description", {}).get("text") == says
