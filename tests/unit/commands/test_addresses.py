"""Addresses as consoles, encoders and terminals show them name their stream, and no key."""

import pytest

from bot.errors import ParseError
from tests.support.commands import BARE, DOMAIN, STREAM, command, read

_KEY = "txSecret=5ECRE7&amp;txTime=5F"


@pytest.mark.parametrize(
    "typed",
    [
        *(f"rtmp{way}://{DOMAIN}/live/stream1" for way in ("", "s", "t", "e", "te", "ts")),
        f"rtmp://{DOMAIN}/live/ stream1?{_KEY}",
        f"rtmp://{DOMAIN}/live stream1?{_KEY}",
        f"rtmp://{DOMAIN}/live/\nstream1?{_KEY}",
        f"<rtmp://{DOMAIN}/live/> `stream1?{_KEY}`",
        f"rtmps://{DOMAIN}:443/live/ stream1 please",
        f"srt://{DOMAIN}:9000?streamid=#!::h={DOMAIN},r=live/stream1,{_KEY.replace('&amp;', ',')}",
        f"srt://h.example.com:9000?streamid=#!::h={DOMAIN},r=live/stream1,txSecret=5ECRE7",
        f"srt://{DOMAIN}:9000?streamid=live/stream1",
        f"srt://{DOMAIN}:9000?streamid=%23!::h%3D{DOMAIN},r%3Dlive/stream1,txSecret%3D5ECRE7",
        f"Server: rtmp://{DOMAIN}/live/ Stream key: stream1?{_KEY}",
        f"URL: rtmp://{DOMAIN}/live/ Key: stream1?{_KEY}",
        f"server=rtmp://{DOMAIN}/live/ key=stream1?{_KEY}",
        f"/usr/bin/ffmpeg -re -i in.mp4 -c copy -f flv rtmp://{DOMAIN}/live/stream1?{_KEY}",
        f'gst-launch-1.0 videotestsrc ! rtmpsink location="rtmp://{DOMAIN}/live/stream1?{_KEY}"',
        f"webrtc://{DOMAIN}/live/stream1?{_KEY}",
        f"rtmp://user:5ECRE7@{DOMAIN}:1935/live/stream1",
        f"rtmp://{DOMAIN}/live/stream%31?{_KEY}",
        f"*rtmp://{DOMAIN}/live/stream1*",
        f"(rtmp://{DOMAIN}/live/stream1).",
        f"“ffmpeg -re -i in.mp4 -c copy -f flv rtmp://{DOMAIN}/live/stream1?{_KEY}”",
        f"\"ffmpeg -re -i in.mp4 -f flv 'rtmp://{DOMAIN}/live/stream1?{_KEY}'\"",
        f"ffmpeg -re -i in.mp4 -c copy -f flv rtmp://{DOMAIN}/live/stream1?{_KEY}",
        f"ffmpeg -i rtmp://cam.example.com/in/7 -f flv 'rtmp://{DOMAIN}/live/stream1?{_KEY}'",
    ],
)
def test_push_address_names_stream_domain_and_path(typed: str) -> None:
    """A push address in any of its forms gives the name, the domain and the path, and no key."""
    found = command(f"live {typed}", vocabulary=BARE)

    assert dict(found.params) == STREAM


@pytest.mark.parametrize(
    "typed",
    [
        f"https://play.example.com/live/stream1.{ending}"
        for ending in ("flv", f"flv?{_KEY}", "m3u8", "sdp", "m3u8?a=b")
    ]
    + [
        f"https://play.example.com/live/stream1/{name}.m3u8"
        for name in ("playlist", "index", "master", "chunklist_w1", "index-v1-a1", "main")
    ],
)
def test_play_address_names_stream_and_path(typed: str) -> None:
    """A play address gives the name and the path; the domain comes from the policy."""
    assert dict(command(f"live {typed}").params) == STREAM


@pytest.mark.parametrize(
    "typed",
    [
        f"rtmp://{DOMAIN}/live/str\neam1",
        f"rtmp://{DOMAIN}/live/stream1?txSecret=5EC\nRE7&amp;txTime=5F",
        f"rtmp://{DOMAIN}/live/stream1\n?txSecret=5ECRE7",
        f"ffmpeg -re -i in.mp4 -f flv rtmp://{DOMAIN}/live/",
        f"'ffmpeg -i rtmp://{DOMAIN}/live/a -f flv rtmp://{DOMAIN}/live/b' x.example.com",
        f"rtmp://{DOMAIN}/live/a,b",
        f"rtmp://{DOMAIN}/live/(a",
    ],
)
def test_unclear_address_is_refused_without_its_key(typed: str) -> None:
    """An address that was cut, or names several streams, is not guessed; no key is shown."""
    with pytest.raises(ParseError) as caught:
        read(f"live {typed}")

    assert "5ECRE7" not in caught.value.text + caught.value.sentence


@pytest.mark.parametrize(
    "typed",
    [
        *("rtmp:/push.example.com/live/stream1", "rtmp//push.example.com/live/stream1"),
        *("rtmp:\\\\push.example.com\\live\\stream1", "stream1@push.example.com"),
        "<mailto:stream1@push.example.com|stream1@push.example.com>",
        "mailto:stream1@push.example.com",
    ],
)
def test_broken_address_is_asked_about(typed: str) -> None:
    """An address that lost a part is never sent as a name; the button has what it means."""
    with pytest.raises(ParseError) as caught:
        read(f"live {typed}")

    (offer,) = caught.value.commands
    found = command(offer.text, None)
    assert (found.params["StreamName"], found.params["DomainName"]) == (
        "stream1",
        "push.example.com",
    )


@pytest.mark.parametrize(
    ("typed", "app"),
    [
        ("live/stream1", "live"),
        ("/live/stream1", "live"),
        ("live\\stream1", "live"),
        ("a/b/stream1", "a/b"),
    ],
)
def test_path_before_a_name_is_asked_about(typed: str, app: str) -> None:
    """A path is no part of a name; the button has it as the path."""
    with pytest.raises(ParseError, match='holds no "/"') as caught:
        read(f"live {typed} domain={DOMAIN}")

    (offer,) = caught.value.commands
    assert command(offer.text, None).params == {**STREAM, "AppName": app}
    assert command(f'live "{typed}"').params["StreamName"] == typed


@pytest.mark.parametrize("typed", ["blob:https://play.example.com/abc", "a.b/c/d/e:f/g"])
def test_foreign_address_offers_nothing(typed: str) -> None:
    """What may be any address is on no button."""
    with pytest.raises(ParseError) as caught:
        read(f"live {typed}")

    assert caught.value.commands == ()


@pytest.mark.parametrize("server", [f"rtmp://{DOMAIN}/live", f"rtmps://{DOMAIN}:443/live/"])
@pytest.mark.parametrize(
    "words",
    [
        *(
            "for 30m",
            "for 2 hours",
            "until 30m",
            "till 2026-12-01",
            "30m",
            "2 hours",
            "domain a.b.com",
        ),
        *(
            "on",
            "off",
            "on a.b.com",
            "all",
            "today",
            "now",
            "please",
            "für 30m",
            "bis 14:00",
            "14:00",
        ),
        *(
            "30 Minuten",
            "2026-11-20 14:00",
            "9am",
            "for",
            "app live",
            "reason=x",
            "account=default",
        ),
        *(
            "and off",
            "it",
            "<@U123>",
            "@oncall",
            "immediately",
            "everything",
            "a.b.com",
            "部署",
            "heute",
            "para 2h",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["live", "ban", "status live"])
def test_word_after_a_server_is_no_key(kind: str, words: str, server: str) -> None:
    """A word of the sentence is never the name of the stream on an encoder's server."""
    with pytest.raises(ParseError):
        read(f"{kind} {server} {words}")


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "/ key lobby",
            "/ Stream key: lobby",
            "/\nkey=lobby",
            '/ "lobby"',
            "/ lobby?a=b",
            "\nKey lobby",
        ),
        *("/ *Key*: lobby", "/ *Key:* lobby", "/ _Stream key_ lobby"),
        *("/ `lobby?a=b`", "/lobby", "/ lobby?txSecret=a/b"),
    ],
)
def test_key_after_a_server_is_its_stream(typed: str) -> None:
    """What is labelled, quoted or has a query is the name, whatever word it is."""
    found = command(f"live rtmp://{DOMAIN}/live{typed}")

    assert dict(found.params) == {**STREAM, "StreamName": "lobby"}


def test_word_after_a_server_that_may_be_its_key_is_a_button() -> None:
    """A word that may be the name is asked about; the button has it as the name."""
    with pytest.raises(ParseError, match="in one") as caught:
        read(f"live rtmp://{DOMAIN}/live/ lobby")

    (offer,) = caught.value.commands
    assert dict(command(offer.text, None).params) == {**STREAM, "StreamName": "lobby"}


@pytest.mark.parametrize("cut", range(len("rtmp://"), len(f"rtmp://{DOMAIN}/live/stream1?{_KEY}")))
@pytest.mark.parametrize("between", ["\n", " ", " \n"])
def test_address_cut_anywhere_is_whole_or_refused(cut: int, between: str) -> None:
    """An address that was cut at any place gives its own name and path, or nothing."""
    whole = f"rtmp://{DOMAIN}/live/stream1?{_KEY}"
    try:
        found = command(f"live {whole[:cut]}{between}{whole[cut:]}")
    except ParseError as error:
        assert "5ECRE7" not in error.sentence
        return
    assert dict(found.params) == STREAM


@pytest.mark.parametrize("path", ["live/a%2Fb", "live%2Fa/b", "live/a%5Cb"])
def test_encoded_slash_is_no_part_of_a_name(path: str) -> None:
    """An address with an encoded slash is refused, as a name with a slash is."""
    with pytest.raises(ParseError, match="slash or a backslash"):
        read(f"live rtmp://{DOMAIN}/{path}")
