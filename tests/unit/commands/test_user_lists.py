"""Lists of users in a command: what belongs to them, and what is asked about."""

from dataclasses import replace

import pytest

from bot.errors import ParseError
from tests.support.commands import RICH, command, read

FILLED = replace(RICH, defaults={"trtc": {"SdkAppId": 7, "Region": "ap-singapore"}})


@pytest.mark.parametrize(
    "text",
    [
        *("users=u1,u2", "u1,u2", "u1, u2", "u1 , u2", "u1 ,u2", "users: u1, u2", "users = u1; u2"),
        *(
            "u1 and u2",
            "u1 & u2",
            "u1 + u2",
            "u1 / u2",
            "u1 | u2",
            "u1、 u2",
        ),
        *("users=[u1, u2]", 'users=["u1", "u2"]', 'users=["u1","u2"]', "('u1', 'u2')"),
        *('"u1","u2"', '"u1", "u2"', "“u1” and “u2”", "`u1`, `u2`", "`u1`,`u2`", "u1,u2."),
    ],
)
@pytest.mark.parametrize("kind", ["remove 12", "remove-str lobby"])
def test_list_of_users_may_be_of_several_words(kind: str, text: str) -> None:
    """A list of users goes on where a sign or a word for it stands between two words."""
    found = command(f"{kind} {text}", vocabulary=FILLED)

    assert found.params["UserIds"] == ["u1", "u2"]
    assert found.params["SdkAppId"] == 7


@pytest.mark.parametrize(
    ("text", "room", "app"),
    [
        ("remove users=u1,u2 12", 12, 7),
        ("remove 12 u1,u2 sdkappid=1400000001", 12, 1400000001),
        ("remove-str users=u1,u2 lobby", "lobby", 7),
        ("remove-str users=u1,u2 lobby sdkappid=9", "lobby", 9),
    ],
)
def test_list_of_users_leaves_other_words(text: str, room: object, app: int) -> None:
    """What stands after a list is no part of it where nothing connects the two."""
    found = command(text, vocabulary=FILLED)

    assert found.params == {"RoomId": room, "UserIds": ["u1", "u2"], "SdkAppId": app}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("remove 12 u1 u2", "Separate the users with commas: write users=alice,bob."),
        ("remove 12 users=u1 u2 sdkappid=7", "Separate the users with commas"),
        ("remove-str lobby u1 u2 u3", "Separate the users with commas"),
        *((f"remove 12 {one}", "with commas") for one in ("u1, u2 u3", "u1 和 u2", "u1 und u2")),
        *((f"remove 12 {one}", "a name in Slack is no user id") for one in ("@u1", "u1, @u2")),
        ("remove 12 users=<@U0ALICE>", "a name in Slack is no user id"),
        ("remove 12 <@U0ALICE|alice> <@U0BOB>", "a name in Slack is no user id"),
        ("remove-str lobby u1 and <@U0BOB>", "a name in Slack is no user id"),
        ("remove 12 u1+u2", "an id has letters"),
        ("remove 12 users=u1:fire:", "an id has letters"),
    ],
)
def test_unclear_list_of_users_is_refused(text: str, says: str) -> None:
    """Words that may or may not be users, and names in Slack, are refused in one sentence."""
    with pytest.raises(ParseError, match=says) as refused:
        read(text, vocabulary=FILLED)
    assert refused.value.sentence.count(". ") == 0
