"""A second room or task is never the application of the first: each is a button."""

from dataclasses import replace

import pytest

from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import RICH, command, read

_WITH_DEFAULT = replace(
    RICH,
    defaults={**RICH.defaults, "trtc": {"SdkAppId": 1400000000, "Region": "ap-singapore"}},
)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("dismiss 111 222", ["Stop dismiss 111", "Stop dismiss 222"]),
        ("dismiss 111, 222 and 333", [f"Stop dismiss {one}" for one in (111, 222, 333)]),
        ("dismiss 1400000000 1234", ["Stop dismiss 1400000000", "Stop dismiss 1234"]),
        ("dismiss 12 1400000001", ["Stop dismiss 12", "Stop dismiss 1400000001"]),
        ("dismiss 12 34 sdkappid=1400000001", ["Stop dismiss 12", "Stop dismiss 34"]),
        ("dismiss room=12 room=34", ["Stop dismiss 12", "Stop dismiss 34"]),
        ("ingest 111 222", ["Stop ingest 111", "Stop ingest 222"]),
        ("ingest task-1 task-2", ["Stop ingest task-1", "Stop ingest task-2"]),
        ("dismiss-str lobby kitchen", ["Stop dismiss-str lobby", "Stop dismiss-str kitchen"]),
    ],
)
def test_second_room_is_a_button_of_its_own(text: str, labels: list[str]) -> None:
    """Where the policy or the text tells the application, each bare word is one more name."""
    with pytest.raises(ParseError, match=r"(?i)one command is for one") as caught:
        read(text, Effect.STOP, _WITH_DEFAULT)
    assert [offer.label for offer in caught.value.commands] == labels
    for offer in caught.value.commands:
        found = command(offer.text, None, _WITH_DEFAULT)
        given = 1400000001 if "sdkappid" in text else 1400000000
        assert found.params["SdkAppId"] == given


@pytest.mark.parametrize("text", ["dismiss 12 34", "ingest 111 222", "dismiss 1400000000 1234"])
def test_short_number_is_no_application(text: str) -> None:
    """Without a default, too, only a number like an SdkAppId is taken for one."""
    with pytest.raises(ParseError, match=r"(?i)one command is for one"):
        read(f"{text} region=ap-singapore")


def test_number_like_an_application_is_one() -> None:
    """Where nothing else tells the application, the number after the room does."""
    found = command("dismiss 12 1400000001 region=ap-singapore")
    assert found.params == {"RoomId": 12, "SdkAppId": 1400000001}
