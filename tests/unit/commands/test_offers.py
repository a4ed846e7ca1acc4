"""Commands that are offered for a text that is none: each parses, and a slip is a near word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import suggestions
from bot.commands.suggestions import closest, edit_distance
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import DOMAIN, read


def _offers(text: str, verb: Effect | None) -> dict[str, str]:
    with pytest.raises(ParseError) as caught:
        read(text, verb)
    return {command.label: command.text for command in caught.value.commands}


@pytest.mark.parametrize(
    ("text", "verb", "offers"),
    [
        (
            "stream1",
            Effect.STOP,
            {"Stop stream1": "stop live stream1", "Ban stream1": "stop ban stream1"},
        ),
        (
            "stop stream1",
            Effect.STOP,
            {"Stop stream1": "stop live stream1", "Ban stream1": "stop ban stream1"},
        ),
        ("stream1", Effect.START, {"Start stream1": "start live stream1"}),
        ("status stream1", Effect.STOP, {"Check stream1": "status live stream1"}),
        (
            "stream1",
            None,
            {
                "Stop stream1": "stop live stream1",
                "Ban stream1": "stop ban stream1",
                "Start stream1": "start live stream1",
                "Check stream1": "status live stream1",
            },
        ),
        (
            f"rtmp://{DOMAIN}/live/cam-7?txSecret=5ECRE7",
            Effect.STOP,
            {
                "Stop cam-7": f"stop live rtmp://{DOMAIN}/live/cam-7",
                "Ban cam-7": f"stop ban rtmp://{DOMAIN}/live/cam-7",
            },
        ),
        *(
            (
                text,
                Effect.STOP,
                {
                    "Stop cam-7": f"DropLiveStream StreamName=cam-7 DomainName={DOMAIN} "
                    "AppName=live",
                    "Ban cam-7": f"ForbidLiveStream StreamName=cam-7 DomainName={DOMAIN} "
                    "AppName=live",
                },
            )
            for text in (
                f"srt://h:9000?streamid=#!::h={DOMAIN},r=live/cam-7,txSecret=5ECRE7",
                f"rtmp://{DOMAIN}/live/ cam-7?txSecret=5ECRE7&txTime=1",
                f"ffmpeg -re -i a.mp4 -f flv rtmp://{DOMAIN}/live/cam-7?txSecret=5ECRE7",
                f"gst-launch-1.0 rtmpsink location='x' 'rtmp://{DOMAIN}/live/cam-7?txSecret=5EC'",
            )
        ),
        ("list", Effect.STOP, {"What is live": "status online", "What is off": "off"}),
        ("ls", None, {"What is live": "status online", "What is off": "off"}),
        ("undo", Effect.START, {"What is off": "off"}),
        ("lvie stream1", Effect.STOP, {"Stop stream1": "stop live stream1"}),
        (
            "live stream1 domian=a.b.example",
            Effect.STOP,
            {"Stop stream1": "stop live stream1 domain=a.b.example"},
        ),
        ("main-stge", Effect.STOP, {"Stop stream1": "stop main-stage"}),
        ("kill stream1", Effect.STOP, {"Stop stream1": "stop live stream1"}),
        ("unban stream1", Effect.STOP, {"Start stream1": "start live stream1"}),
        ("start live stream1", Effect.STOP, {"Start stream1": "start live stream1"}),
        ("whoam", Effect.STOP, {"What I may do": "stop whoami"}),
    ],
)
def test_mistake_offers_commands_that_run(
    text: str, verb: Effect | None, offers: dict[str, str]
) -> None:
    """The most natural texts are answered by the commands that they may mean."""
    assert {label: text for label, text in _offers(text, verb).items() if label in offers} == offers
    assert "txSecret" not in str(_offers(text, verb))


@pytest.mark.parametrize("verb", [None, Effect.STOP, Effect.START, Effect.READ])
@pytest.mark.parametrize("word", ["list", "ls", "undo", "stream1", "stop", "line", "me", "x"])
def test_mistake_names_no_distant_word(word: str, verb: Effect | None) -> None:
    """A word that no slip makes of another is not taken for it."""
    try:
        read(word, verb)
    except ParseError as error:
        assert "ingest" not in error.sentence
        assert not error.suggestion or edit_distance(error.suggestion, word) <= 1


@given(st.text(max_size=30), st.sampled_from([None, Effect.STOP, Effect.START, Effect.READ]))
def test_every_offer_parses_as_it_is(text: str, verb: Effect | None) -> None:
    """What a button would run parses without an implied verb, and its label can be read."""
    try:
        read(text, verb)
    except ParseError as error:
        for offer in error.commands:
            read(offer.text, None)
            assert offer.label.isprintable()
            assert offer.text


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("live", "lvie", 1), ("list", "live", 2), ("list", "ingest", 4), ("", "ab", 2), ("a", "a", 0)],
)
def test_edit_distance_counts_slips(first: str, second: str, distance: int) -> None:
    """Swapped letters count as one slip."""
    assert edit_distance(first, second) == distance
    assert edit_distance(second, first) == distance


def test_closest_word_is_within_a_sensible_distance() -> None:
    """A short word allows one slip, a longer one more."""
    assert closest("lvie", ["live", "ingest"]) == "live"
    assert closest("list", ["live", "ingest"]) == ""
    assert closest("droplivestraem", ["droplivestream"]) == "droplivestream"


@given(
    st.text("abcé-", max_size=9),
    st.lists(st.text("abcé-", max_size=9), max_size=8, unique=True),
)
def test_closest_word_is_that_of_a_full_search(word: str, known: list[str]) -> None:
    """What is left out because of its length or letters could not have been the closest."""
    most = min(3, max(1, len(word) // 4))
    distances = {name: edit_distance(word, name) for name in known}
    best = min(distances, key=distances.__getitem__, default="")
    assert closest(word, known) == (best if best and distances[best] <= most else "")


@pytest.mark.parametrize("mistake", ["lvie cam-7", "droplivestraem cam-7", "cam-7"])
def test_few_words_are_compared_letter_by_letter(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most words of the catalog are told apart by their lengths and letters alone."""
    compared: list[str] = []

    def counted(first: str, second: str) -> int:
        compared.append(second)
        return edit_distance(first, second)

    monkeypatch.setattr(suggestions, "edit_distance", counted)
    with pytest.raises(ParseError):
        read(mistake, None)
    assert len(compared) <= 3, compared
