"""The callbacks of content moderation: what they say, and what is not believed."""

import pytest

from bot.hooks.live import OtherNotice, RefusedNotice, read_notice
from bot.model.alerts import Notice
from bot.operations.pictures import is_allowed, kind_of
from tests.support.live_callbacks import KEY, NOW, signed

KEYS = {"default": (KEY,)}
COS = (".myqcloud.com", "img.example.com")


def flagged(**fields: object) -> dict[str, object]:
    return {
        "event_type": 317,
        "streamId": "s1",
        "app": "Push.example.com",
        "appname": "live",
        "img": "https://b-1.cos.ap-singapore.myqcloud.com/1.jpg",
        "type": [1],
        "score": [42, 98],
        "label": "Porn",
        "suggestion": "Block",
        "sendTime": 1_699_999_990,
        **fields,
    }


def read(**fields: object) -> object:
    return read_notice(signed(flagged(**fields)), KEYS, now=NOW)


def test_flagged_picture_is_read() -> None:
    """Label, score and suggestion are said in words; the stream is named with its account."""
    found = read()
    assert isinstance(found, Notice)
    assert (found.title, found.summary, found.severity) == (
        "Sexual content in the picture",
        "Score 98 of 100",
        "Tencent suggests blocking it",
    )
    (item,) = found.items
    (stream,) = item.streams
    assert stream.params == {
        "StreamName": "s1",
        "DomainName": "push.example.com",
        "AppName": "live",
    }
    assert (stream.account, item.at) == ("default", 1_699_999_990.0)


def test_half_characters_are_replaced() -> None:
    """What no database holds is replaced in words, so that the notice can be stored."""
    found = read(subLabel="a\ud800", ocrMsg="b\udfff\x00")
    assert isinstance(found, Notice)
    assert found.summary == 'Score 98 of 100 · a\ufffd. Reads: "b\ufffd\ufffd"'


def test_flagged_sound_has_no_picture() -> None:
    """Of a sound the words that were heard are quoted, without secrets."""
    found = read(event_type=315, label="Abuse", text="say txSecret=5ECRE75ECRE7", sendTime="")
    assert isinstance(found, Notice)
    assert found.title == "Abuse in the sound"
    assert "5ECRE7" not in found.summary
    assert found.items[0].picture == ""
    assert found.items[0].at == NOW


@pytest.mark.parametrize("fields", [{"suggestion": "Pass"}, {"suggestion": "pass"}])
def test_what_passed_is_not_shown(fields: dict[str, object]) -> None:
    """A judgement that nothing is wrong opens no card."""
    assert read(**fields) == OtherNotice(317)


@pytest.mark.parametrize("name", ["", 7, None, "x\n", "txSecret=5ECRE75ECRE7", "a" * 257])
def test_notice_without_a_stream_is_refused(name: object) -> None:
    """What names no stream is malformed."""
    assert read(streamId=name) == RefusedNotice("malformed")


def test_foreign_texts_are_bounded() -> None:
    """A label that is no word, a score out of range and a long text are left out or cut."""
    found = read(
        label="<!channel>", score=[10**9, True, "x"], subLabel="y" * 999, ocrMsg="z" * 9999
    )
    assert isinstance(found, Notice)
    assert found.title == "Content in the picture"
    assert len(found.summary) < 400


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://b-1.cos.ap-singapore.myqcloud.com/1.jpg", True),
        ("https://img.example.com/1.jpg", True),
        ("https://IMG.example.com:443/1.jpg", True),
        ("http://img.example.com/1.jpg", False),
        ("https://img.example.com:8443/1.jpg", False),
        ("https://img.example.com.evil.example/1.jpg", False),
        ("https://evilmyqcloud.com/1.jpg", False),
        ("https://user@img.example.com/1.jpg", False),
        ("https://img.example.com@evil.example/1.jpg", False),
        ("https://evil.example/?https://img.example.com/", False),
        ("https://evil.example/\\img.example.com", False),
        ("http://127.0.0.1:9/1.jpg", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_allowed_hosts_are_called(address: str, *, allowed: bool) -> None:
    """An address is called over HTTPS, at an allowed host, at the usual port, and nowhere else."""
    assert is_allowed(address, COS) is allowed


def test_picture_is_known_by_its_first_bytes() -> None:
    """What calls itself a picture and is none is not passed on."""
    assert kind_of(b"\xff\xd8\xff\xe0...") == "jpg"
    assert kind_of(b"RIFF....WEBPVP8 ") == "webp"
    assert kind_of(b"<svg onload=alert(1)>") == ""
    assert kind_of(b"") == ""
