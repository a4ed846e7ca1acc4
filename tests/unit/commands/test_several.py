"""Several names, and names in a sentence: each is a button, and none is sent unasked."""

from dataclasses import replace

import pytest

from bot.catalog.registry import ALL_ACTIONS
from bot.commands.several import is_shaped
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import DOMAIN, RICH, command, read

_WITH_HOLDS = replace(RICH, actions=ALL_ACTIONS)


def _offers(
    text: str, verb: Effect | None = Effect.STOP, vocabulary: Vocabulary = RICH
) -> dict[str, str]:
    with pytest.raises(ParseError) as caught:
        read(text, verb, vocabulary)
    return {offer.label: offer.text for offer in caught.value.commands}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        *(
            (f"live {names}", ["Stop stream1", "Stop stream2"])
            for names in (
                *("stream1,stream2", "stream1, stream2", "stream1 stream2", "stream1;stream2"),
                *(
                    "stream1 and stream2",
                    "stream1 &amp; stream2",
                    "stream1\nstream2",
                    "- stream1 - stream2",
                ),
                *(
                    "stream1、stream2",
                    "*stream1* *stream2*",
                    "(stream1), (stream2)",
                    "stream1 / stream2",
                ),
                "stream1 stop live stream2",
                *('"stream1" "stream2"', "“stream1” “stream2”", "'stream1' stream2"),
            )
        ),
        ("ban a,b", ["Ban a", "Ban b"]),
        ("live a b", ["Stop a", "Stop b"]),
        ("live a stream1", ["Stop stream1"]),
        ("live lobby kitchen", ["Stop lobby", "Stop kitchen"]),
        ("live lobby and kitchen", ["Stop lobby", "Stop kitchen"]),
        ("live a,b,c,d,e,f,g", ["Stop a", "Stop b", "Stop c", "Stop d", "Stop e"]),
        ("live stream=a,b", ["Stop a", "Stop b"]),
        ("car cam-1 cam-2", ["Stop car cam-1", "Stop car cam-2"]),
        ("status live cam-1,cam-2", ["Check cam-1", "Check cam-2"]),
        (
            "domain a.example.com,b.example.com",
            ["Stop domain a.example.com", "Stop domain b.example.com"],
        ),
        (f"live rtmp://{DOMAIN}/live/a rtmp://{DOMAIN}/live/b", ["Stop a", "Stop b"]),
        (f"live rtmp://{DOMAIN}/live/a,rtmp://{DOMAIN}/live/b", ["Stop a", "Stop b"]),
        ("stream1 stream2", ["Stop stream1", "Stop stream2", "Ban stream1", "Ban stream2"]),
        ("stop stream1,stream2", ["Stop stream1", "Stop stream2", "Ban stream1", "Ban stream2"]),
        ("live main-stage stream2", ["Stop stream1", "Stop stream2"]),
    ],
)
def test_each_of_several_names_is_a_button(text: str, labels: list[str]) -> None:
    """A list is answered by a button for each name, five at most."""
    offers = _offers(text)

    assert list(offers) == labels
    targets = {command(offer, None).target for offer in offers.values()}
    assert targets == {label.split()[-1] for label in labels}


def test_button_of_a_list_keeps_the_other_values() -> None:
    """Domain, path and time of a list are those of each of its names."""
    offers = _offers("ban cam-1,cam-2 push.example.com app=x for 30 min")

    for name, text in zip(("cam-1", "cam-2"), offers.values(), strict=True):
        found = command(text, None)
        assert found.action.api == "ForbidLiveStream"
        assert found.params["StreamName"] == name
        assert found.params["DomainName"] == "push.example.com"
        assert found.params["AppName"] == "x"
        assert found.spans == {"ResumeTime": 1800.0}


@pytest.mark.parametrize(
    "names",
    [
        *(
            "a,b",
            "a b",
            "a;b",
            "a and b",
            "live a,b",
            "stream a b",
            "(a), (b)",
            "a\nb",
            "stop live a b",
        ),
        f"rtmp://{DOMAIN}/live/a?txSecret=0123abc rtmp://{DOMAIN}/live/b?txSecret=0123abc",
    ],
)
@pytest.mark.parametrize("kind", ["hold", "release"])
def test_each_of_several_names_to_hold_is_a_button(kind: str, names: str) -> None:
    """A list of names to hold is answered by one button for each, with the reason and the case."""
    rest = ' reason="it is bad" case=INC-1' if kind == "hold" else " case=INC-1"
    offers = _offers(f"{kind} {names}{rest}", None, _WITH_HOLDS)
    word = kind.capitalize()
    assert list(offers) == [f"{word} a", f"{word} b"]
    for name, text in zip("ab", offers.values(), strict=True):
        found = command(text, None, _WITH_HOLDS)
        assert found == command(f"{kind} stream {name}{rest}", None, _WITH_HOLDS)
        assert found.case == "INC-1"


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("stream cam-1 for legal", ["cam-1"]),
        ("stream lobby kitchen", ["lobby", "kitchen"]),
        ('stream "main stage", cam7', ["main stage", "cam7"]),
    ],
)
def test_hold_never_takes_unquoted_words_as_one_name(typed: str, names: list[str]) -> None:
    """Each unquoted word after `stream` is a name of its own; a quoted one may hold spaces."""
    offers = _offers(f"hold {typed} reason=x", None, _WITH_HOLDS)
    targets = [command(text, None, _WITH_HOLDS).params["Target"] for text in offers.values()]
    assert targets == [f"stream {name}" for name in names]


def test_name_to_hold_without_a_kind_is_a_button() -> None:
    """A bare name to hold is offered once, whichever kind stops it."""
    assert _offers("hold stream1 reason=x", None, _WITH_HOLDS) == {
        "Hold stream1": "hold stream stream1 reason=x"
    }


def test_button_of_several_addresses_holds_no_key() -> None:
    """A key beside one of several addresses is on no button."""
    urls = [f"rtmp://{DOMAIN}/live/{name}?txSecret=5ECRE7&amp;txTime=1" for name in "ab"]
    offers = _offers(f"live {' '.join(urls)}")

    assert list(offers) == ["Stop a", "Stop b"]
    assert "5ECRE7" not in str(offers)


@pytest.mark.parametrize(
    "rest",
    [
        *("because it is leaking", "due to copyright", "it leaks", "// copyright strike"),
        *("(copyright strike)", "today", "- they play music", "is broken"),
    ],
)
def test_reason_beside_a_name_is_no_name(rest: str) -> None:
    """Words of a sentence after a name are no names; the name is a button."""
    assert next(iter(_offers(f"live stream1 {rest}"))) == "Stop stream1"
    assert "Stop it" not in _offers(f"live stream1 {rest}")


@pytest.mark.parametrize(
    "text",
    [
        *("live all except stream1", "live stream1 not stream2", "live everything but stream1"),
        *("live stream1 after stream2", "live stream1 when stream2 ends", "ban stream1 in 30m"),
        "live stream1 unless stream2",
    ],
)
def test_exception_or_delay_offers_nothing(text: str) -> None:
    """What may be meant to go on, or for later, is on no button."""
    assert _offers(text) == {}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        *(
            (text, ["Stop stream1", "Ban stream1"])
            for text in (
                *("take stream1 down", "take down stream1", "turn off stream1", "mute stream1"),
                *("stop the stream stream1", "get stream1 off air", "stop recording stream1"),
                "@here stop live stream1",
            )
        ),
        *(
            (text, ["Stop stream1"])
            for text in (
                *("end stream1", "cut the feed stream1", "kill live stream1", "停播 stream1"),
                *("stop-live stream1", "terminate stream1 now"),
            )
        ),
        ("封禁 stream1", ["Ban stream1"]),
        *(
            (text, ["Start stream1"])
            for text in (
                *(
                    "undo stream1",
                    "bring back stream1",
                    "lift the ban on stream1",
                    "undo ban stream1",
                ),
                *("resume stream1", "restart stream1", "unbann stream1", "reenable stream1"),
                *("turn on stream1", "switch stream1 back on", "let stream1 continue"),
            )
        ),
        *(
            (text, ["Check stream1"])
            for text in ("is stream1 live?", "check stream1", "show stream1")
        ),
        ("who stopped stream1", ["What ran on stream1", "What I may do"]),
        *(
            (text, ["What is live"])
            for text in (
                "stop it",
                "stop everything",
                "stop all",
                "what is live",
                "stop the stream",
            )
        ),
        ("history", ["What ran"]),
        ("stream=stream1", ["Stop stream1", "Ban stream1"]),
        ("who am i", ["What I may do"]),
        (
            "push.example.com",
            ["Stop push.example.com", "Ban push.example.com", "Stop domain push.example.com"],
        ),
        ("live x/stream1", ["Stop stream1"]),
    ],
)
def test_natural_words_are_answered_by_buttons(text: str, labels: list[str]) -> None:
    """What a tired person types is answered by what it may mean, the likeliest first."""
    assert list(_offers(text))[: len(labels)] == labels


@pytest.mark.parametrize("verb", [None, Effect.STOP, Effect.START])
@pytest.mark.parametrize(
    "word",
    [
        *("undo", "unbann", "restart", "bring back", "resume", "reenable", "turn on", "put back"),
        *("don't stop", "do not stop", "never touch", "re-enable", "let go on"),
    ],
)
def test_words_that_start_never_offer_a_stop(word: str, verb: Effect | None) -> None:
    """What starts something, or says not to stop it, is not answered by a button that stops."""
    labels = " ".join(_offers(f"{word} stream1", verb))
    assert "Stop" not in labels
    assert "Ban" not in labels


@pytest.mark.parametrize(
    ("typed", "bare", "whole"),
    [
        ("*stream1", "stream1", "*stream1"),
        ("stream1)", "stream1", "stream1)"),
        ("#stream1", "stream1", "#stream1"),
        ("→stream1", "stream1", "→stream1"),
        ("–stream1.", "stream1", "–stream1"),
        ("stream1🙏", "stream1", "stream1🙏"),
        ("1)stream1", "", ""),
    ],
)
def test_unclear_name_is_asked_about_by_buttons(typed: str, bare: str, whole: str) -> None:
    """Signs around a name are asked about: a button without them, and one with them."""
    if not bare:
        assert command(f"live {typed}").target == typed
        return
    for text in (f"live {typed} domain=push.example.com", f"live stream={typed}"):
        targets = [command(offer, None).target for offer in _offers(text).values()]
        assert targets[0] == bare
        assert set(targets[1:]) <= {whole, typed}


@pytest.mark.parametrize("word", ["cam-7", "stream1", "a.b", "主舞台", "rtmp://a.b/live/c"])
def test_shape_of_a_name(word: str) -> None:
    """What has a digit, a hyphen inside or no ASCII is a name before a plain word is."""
    assert is_shaped(word)


@pytest.mark.parametrize("word", ["take", "Stop", "don't", "-", "lobby"])
def test_plain_word_has_no_shape(word: str) -> None:
    """A plain word may be one of a sentence."""
    assert not is_shaped(word)
