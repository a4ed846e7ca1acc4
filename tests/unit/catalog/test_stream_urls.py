"""A stream's address says its host, path and name, and never its key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.stream_urls import StreamUrl, lacks_its_scheme, looks_like_url, parse_url

_NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("rtmp://push.a.b/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("RTMP://PUSH.a.b:1935/live/sub/S1?k=v", StreamUrl("push.a.b", "live/sub", "S1", "push")),
        ("rtmps://5000.livepush.b/live/s1/", StreamUrl("5000.livepush.b", "live", "s1", "push")),
        ("rtmp://a.b/live/s1", StreamUrl("a.b", "live", "s1", "push")),
        ("rtmp://play.a.b/live/s1", StreamUrl("play.a.b", "live", "s1", "play")),
        ("rtmp://cdn.a.b/live/s1_hd", StreamUrl("cdn.a.b", "live", "s1_hd", "play")),
        ("webrtc://a.b/live/s1", StreamUrl("a.b", "live", "s1", "unclear")),
        ("webrtc://push.a.b/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("webrtc://pull.a.b/live/s1", StreamUrl("pull.a.b", "live", "s1", "play")),
        ("https://a.b/live/s1.m3u8?t=1", StreamUrl("a.b", "live", "s1", "play")),
        ("http://a.b./live/s1.FLV", StreamUrl("a.b", "live", "s1", "play")),
        ("https://a.b/live/s1/playlist.m3u8?t=1", StreamUrl("a.b", "live", "s1", "play")),
        ("https://a.b/live/sub/s1/INDEX.m3u8", StreamUrl("a.b", "live/sub", "s1", "play")),
        ("https://a.b/live/playlist.m3u8", StreamUrl("a.b", "live", "playlist", "play")),
        ("https://a.b/live/s1.xs", StreamUrl("a.b", "live", "s1", "play")),
        ("http://push.a.b/live/s1.flv", StreamUrl("push.a.b", "live", "s1", "push")),
        ("srt://push.a.b:9000/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        (
            "srt://a.b:9000?streamid=#!::h=push.a.b,r=live/s1,txSecret=5ECRE7,txTime=5F",
            StreamUrl("push.a.b", "live", "s1", "push"),
        ),
        (
            "srt://push.a.b:9000?streamid=%23!::r=live/s1,txSecret=5ECRE7&x=y",
            StreamUrl("push.a.b", "live", "s1", "push"),
        ),
        (
            "rtmp://push.a.b/live/s1%3FtxSecret%3D5ECRE7",
            StreamUrl("push.a.b", "live", "s1", "push"),
        ),
        ("rtmp://push.a.b/live/s1&txSecret=5ECRE7", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmp://user:5ECRE7@push.a.b/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmpt://push.a.b/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmpe://push.a.b:80/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmpts://push.a.b/live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        ("https://a.b/live/s1/chunklist_w42.m3u8", StreamUrl("a.b", "live", "s1", "play")),
        ("https://a.b/live/s1/index-v1-a1.m3u8", StreamUrl("a.b", "live", "s1", "play")),
        ("https://a.b/live/s1/prog_index.m3u8", StreamUrl("a.b", "live", "s1", "play")),
        ("https://a.b/live/s1_720p.m3u8", StreamUrl("a.b", "live", "s1_720p", "play")),
        ("srt://push.a.b:9000?streamid=live/s1", StreamUrl("push.a.b", "live", "s1", "push")),
        (
            "srt://push.a.b:9000?mode=caller&streamid=live/s1&latency=20",
            StreamUrl("push.a.b", "live", "s1", "push"),
        ),
        ("rtmp://1.2.3.4/live/s1?vhost=push.a.b", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmp://push.a.b//live//s1//", StreamUrl("push.a.b", "live", "s1", "push")),
        ("rtmp://push.a.b/live/a%20b", StreamUrl("push.a.b", "live", "a b", "push")),
    ],
)
def test_stream_url_is_parsed(url: str, link: StreamUrl) -> None:
    """A stream URL is parsed into its host, application, stream and direction."""
    assert looks_like_url(url)
    assert parse_url(url) == link


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("rtmp://", "no host"),
        ("rtmp:///live/s", "no host"),
        ("rtmp://[::1", "not well-formed"),
        ("rtmp://push.a.b", "/app/stream"),
        ("rtmp://push.a.b/s1", "/app/stream"),
        ("rtmp://push.a.b/live/.flv", "/app/stream"),
        ("rtmp://push.a.b/%3Fx/s1", "/app/stream"),
        ("rtmp://push.a.b/live//sub/s1", "/app/stream"),
        ("rtmp://push.a.b/live/rtmp://push.a.b/live/s1", "holds another address"),
        ("rtmp://push.a.b/live/rtmp://s1", "holds another address"),
        ("srt://push.a.b?streamid=s1", "/app/stream"),
        ("https://a.b", "end in .flv or .m3u8"),
        ("https://console.a.b/live/s1", "end in .flv or .m3u8"),
        ("rtsp://push.a.b/live/s1", "begin with rtmp"),
        ("javascript://push.a.b/live/s1", "begin with rtmp"),
    ],
)
def test_stream_url_without_stream_is_refused(url: str, why: str) -> None:
    """A URL that names no stream is refused with the reason."""
    assert looks_like_url(url)
    with pytest.raises(ValueError, match=why):
        parse_url(url)


@pytest.mark.parametrize("text", ["stream1", "https-1", "a:b", "://x", "push.a.b/live/s", ""])
def test_stream_url_requires_scheme(text: str) -> None:
    """A text without a scheme does not look like a stream URL."""
    assert not looks_like_url(text)


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("push.a.bc/live/s", True),
        ("push.a.bc:1935/live/s?k=v", True),
        ("PUSH.a.bc./live/s", True),
        ("push.a.b/s", False),
        ("live/sub/s", False),
        ("1.2/live/s", False),
        ("push.a.b", False),
        ("rtmp://push.a.b/live/s", False),
        ("", False),
    ],
)
def test_stream_url_missing_scheme_is_detected(text: str, does: bool) -> None:
    """A stream URL that lacks only its scheme is recognized."""
    assert lacks_its_scheme(text) is does


@given(st.sampled_from(["rtmp", "webrtc", "srt"]), _NAMES, _NAMES, st.text(max_size=20))
def test_stream_url_drops_query(scheme: str, app: str, stream: str, query: str) -> None:
    """The query of a stream URL is dropped, whatever it contains."""
    link = parse_url(f"{scheme}://push.a.b/{app}/{stream}?txSecret={query.replace('#', '')}")

    assert (link.host, link.app, link.stream) == ("push.a.b", app, stream)


@given(st.one_of(st.text(), st.text().map("rtmp://a.b/".__add__), st.text().map("srt://".__add__)))
def test_stream_url_handles_any_text(text: str) -> None:
    """Any text is parsed as a stream URL or refused with ValueError."""
    try:
        link = parse_url(text)
    except ValueError:
        return
    assert link.host
    assert link.app
    assert link.stream
    assert not set(link.stream + link.app) & {"?", "&"}


@pytest.mark.parametrize(
    "sign",
    [
        "？",
        "＆",
        "﹖",
        "﹠",
        "%3F",
        "%26",
        "%253f",
        "%25253F",
        "%2526",
        "%EF%BC%9F",
        "%25EF%25BC%2586",
    ],
)
@pytest.mark.parametrize("key", ["txSecret=5ECRE7", "txSecret%3D5ECRE7", "opaque5ECRE7"])
@pytest.mark.parametrize("end", ["", "&txTime=5F", "＆txTime=5F"])
def test_stream_url_ends_before_a_query_in_any_spelling(sign: str, key: str, end: str) -> None:
    """What begins a query as a phone or a console writes it ends the name, so no key is in it."""
    found = parse_url(f"rtmp://push.a.b/live/s1{sign}{key}{end}")

    assert found == StreamUrl("push.a.b", "live", "s1", "push")
    assert parse_url(f"srt://a.b?streamid=#!::h=push.a.b,r=live/s1{sign}{key}") == found
    assert parse_url(f"rtmp://1.2.3.4/live/s1{sign}a=b/c＆vhost=push.a.b") == found
    assert parse_url(f"rtmp://1.2.3.4/live/s1{sign}vhost=push.a.b") == found


@pytest.mark.parametrize(
    "path",
    [
        *("live/s1/txSecret=5ECRE7", "live/s1/txSecret%3D5ECRE7", "live/txSecret=5ECRE7/s1"),
        *("txSecret=5ECRE7/s1", "live/s1/txSecret%253D5ECRE7", "live/s1;txSecret=5ECRE7"),
        *("live/s1,txSecret=5ECRE7", "live/s1/txSecret＝5ECRE7", "live/s1#/../x／txSecret:5ECRE7"),
        *("live/s1_token:5ECRE7", "live/s1/wsSecret=5ECRE7.flv", "live/s1;sig=5ECRE7"),
    ],
)
def test_stream_url_with_a_key_in_its_path_is_refused(path: str) -> None:
    """A key is never a part of a name or a path, wherever it stands; the error does not show it."""
    url = f"rtmp://push.a.b/{path}"
    try:
        found = parse_url(url)
    except ValueError as error:
        assert "5ECRE7" not in str(error)
    else:
        assert "5ECRE7" not in repr(found)


@pytest.mark.parametrize(
    "path",
    [
        "live／s1",
        "live/a／s1",
        "live/s1＃x",
        "live/a%252Fs1",
        "live/a＝b",
        "live/s1：x",
    ],
)
def test_stream_url_with_a_sign_of_another_width_is_refused(path: str) -> None:
    """A full-width or doubly encoded sign of an address is never a part of a name."""
    with pytest.raises(ValueError, match=r"type the address again|/app/stream"):
        parse_url(f"rtmp://push.a.b/{path}")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "live/s1/720p.m3u8",
            "live/s1/1080p/index.m3u8",
            "live/1080p/index.m3u8",
            "live/s1/hd.m3u8",
        ),
        *("live/s1/live.m3u8", "live/s1/v0/prog_index.m3u8", "live/s1/s1.m3u8", "s1/index.m3u8"),
        *("live/s1/timeshift.m3u8", "timeshift/s1/timeshift.m3u8", "timeshift/live/s1.m3u8"),
        *("live/s1/720p.flv", "live/s1/2500k/playlist.m3u8", "live/s1/720p30/chunklist_w1.m3u8"),
        *("live/s1/SD/Index.M3U8", "s1/playlist.m3u8", "timeshift/live/timeshift.m3u8"),
    ],
)
def test_playlist_whose_stream_is_unclear_is_refused(path: str) -> None:
    """Where a folder and a file may both be the stream, neither is taken."""
    with pytest.raises(ValueError, match="its folder or its file"):
        parse_url(f"https://play.a.b/{path}?txSecret=5ECRE7")


@pytest.mark.parametrize(
    ("path", "app", "stream"),
    [
        ("timeshift/live/s1/timeshift.m3u8?starttime=1", "live", "s1"),
        ("TimeShift/live/sub/s1/timeshift.m3u8", "live/sub", "s1"),
        ("live/720p.m3u8", "live", "720p"),
        ("stages/main.m3u8", "stages", "main"),
        ("live/s1_720p.flv", "live", "s1_720p"),
        ("live/sub/s1.flv", "live/sub", "s1"),
    ],
)
def test_playlist_whose_stream_is_clear_is_read(path: str, app: str, stream: str) -> None:
    """An address of two parts, and one of Tencent's own forms, names its stream."""
    found = parse_url(f"https://play.a.b/{path}")

    assert (found.app, found.stream) == (app, stream)
