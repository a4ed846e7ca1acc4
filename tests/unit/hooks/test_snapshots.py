"""The callback of a snapshot: which stream's picture it is, and where it is stored."""

import pytest

from bot.hooks.live import RefusedNotice, read_notice
from bot.model.live_notices import Snapshot
from tests.support.live_callbacks import KEY, NOW, signed

KEYS = {"main": (KEY,)}
ADDRESS = "http://b-125.cos.ap-guangzhou.myqcloud.com/2026-11-27/s1-screenshot.jpg"
SAID = {
    "event_type": 200,
    "app": "Push.example.com",
    "appname": "live",
    "stream_id": "s1",
    "channel_id": "s1",
    "create_time": int(NOW),
    "file_size": 7520,
    "width": 640,
    "height": 352,
    "pic_url": "/2026-11-27/s1-screenshot.jpg",
    "pic_full_url": ADDRESS,
}


def test_snapshot_names_its_stream_and_its_encrypted_address() -> None:
    """Tencent Cloud names the address without encryption; it is called with it."""
    found = read_notice(signed(SAID), KEYS, now=NOW)

    assert found == Snapshot(
        "main", "s1", "push.example.com", "live", NOW, ADDRESS.replace("http:", "https:")
    )
    local = {**SAID, "pic_full_url": "http://127.0.0.1:8080/1.png"}
    found = read_notice(signed(local), KEYS, now=NOW)
    assert isinstance(found, Snapshot)
    assert found.address == "http://127.0.0.1:8080/1.png"


def test_repeat_of_a_snapshot_has_the_same_key() -> None:
    """Another try of a notice has another signature; another picture has another address."""
    first = read_notice(signed(SAID), KEYS, now=NOW)
    again = read_notice(signed(SAID, expires=NOW + 700), KEYS, now=NOW)
    other = read_notice(signed({**SAID, "pic_full_url": f"{ADDRESS}2"}), KEYS, now=NOW)

    assert isinstance(first, Snapshot)
    assert isinstance(again, Snapshot)
    assert isinstance(other, Snapshot)
    assert first.key == again.key != other.key


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_id": ""},
        {"stream_id": ["s1"]},
        {"create_time": "now"},
        {"pic_full_url": ""},
        {"pic_full_url": "https://b.myqcloud.com/a b"},
        {"pic_full_url": f"https://b.myqcloud.com/{'a' * 2000}"},
        {"pic_full_url": 7},
    ],
)
def test_snapshot_that_lacks_something_is_refused(wrong: dict[str, object]) -> None:
    """Without a stream, a time or an address there is nothing to record."""
    refused = RefusedNotice("malformed")
    assert read_notice(signed({**SAID, **wrong}), KEYS, now=NOW) == refused
