"""Callbacks of Live: their signature, their time, and what is taken from them."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hooks.live import (
    AHEAD_MOST,
    OtherNotice,
    RefusedNotice,
    read_notice,
    signature,
    split_keys,
)
from bot.model.live_notices import LiveNotice, NoticeKind
from tests.support.live_callbacks import ENDED, KEY, NOW, OTHER_KEY, said, signed

KEYS = {"default": (KEY,)}


def test_signature_is_the_md5_of_key_and_time() -> None:
    """The signature is that of Tencent's documentation: MD5 of the key followed by `t`."""
    expected = hashlib.md5(b"5d41402abc4b2a76b9719d911017c592" + b"1473126233").hexdigest()  # noqa: S324
    assert signature("5d41402abc4b2a76b9719d911017c592", 1473126233) == expected


def test_notice_of_a_push_says_which_stream_and_when() -> None:
    """Begin and end of a push are read, with the domain in small letters."""
    body = signed(said(app="PUSH.example.com"))
    expected = LiveNotice(
        "default", NoticeKind.BEGAN, "s1", "push.example.com", "live", NOW, "6674468118806626493"
    )
    assert read_notice(body, KEYS, now=NOW) == expected
    ended = read_notice(signed(said(ENDED)), KEYS, now=NOW)
    assert isinstance(ended, LiveNotice)
    assert ended.kind is NoticeKind.ENDED
    assert ended.key != expected.key


def test_notice_holds_nothing_of_the_stream_key() -> None:
    """The parameters of the push URL, which may hold a key, are in no part of what is kept."""
    notice = read_notice(signed(said()), KEYS, now=NOW)
    assert "5e5bf7e0" not in repr(notice)
    assert isinstance(notice, LiveNotice)
    assert "5e5bf7e0" not in notice.key
    for name in ("stream_id", "app", "appname"):
        keyed = said() | {name: "s1?txSecret=5e5bf7e0aa7e0ffd1a6b26f0f1d1ac15"}
        assert read_notice(signed(keyed), KEYS, now=NOW) == RefusedNotice("malformed")


def test_notice_is_of_the_account_whose_key_signed_it() -> None:
    """Each account has its own keys, and two of them count while one replaces the other."""
    keys = {"events": (KEY, OTHER_KEY), "radio": ("the-key-of-the-radio",)}
    signers = {key: account for account, some in keys.items() for key in some}
    for key, account in signers.items():
        notice = read_notice(signed(said(), key), keys, now=NOW)
        assert isinstance(notice, LiveNotice)
        assert notice.account == account
    assert split_keys(f" {KEY} ,{OTHER_KEY},") == (KEY, OTHER_KEY)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"[" * 60_000, "malformed"),
        (b'{"t": 1e400}', "malformed"),
        (signed(said(), "another-key-of-others"), "forged"),
        (json.dumps({**said(), "t": int(NOW) + 600}).encode(), "forged"),
        (json.dumps({**said(), "t": int(NOW) + 600, "sign": "\ud800"}).encode(), "forged"),
        (signed(said(), expires=NOW - 1), "expired"),
        (signed(said(), expires=NOW + AHEAD_MOST + 1), "far-future"),
        (signed(said(stream_id="")), "malformed"),
        (signed(said(stream_id="a\nb")), "malformed"),
        (signed(said(stream_id="\ud800")), "malformed"),
        (signed(said(stream_id=["s1"])), "malformed"),
        (signed(said(stream_id="s" * 257)), "malformed"),
        (signed(said(event_time="soon")), "malformed"),
        (signed(said(event_type=True)), "malformed"),
    ],
)
def test_notice_that_is_not_right_is_refused(body: bytes, why: str) -> None:
    """What is malformed, forged, expired or of a far future is no notice."""
    assert read_notice(body, KEYS, now=NOW) == RefusedNotice(why)


def test_notice_of_another_type_is_known_as_such() -> None:
    """A genuine notice of a type that has no use here is no mistake."""
    assert read_notice(signed(said(332)), KEYS, now=NOW) == OtherNotice(332)


def test_without_a_key_nothing_is_genuine() -> None:
    """Where no key is set, no signature is right, that of the empty key included."""
    for keys in ({}, {"default": ()}):
        assert read_notice(signed(said(), ""), keys, now=NOW) == RefusedNotice("forged")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), st.text())
def test_any_body_is_judged_without_a_mistake(value: object, name: str) -> None:
    """Whatever is signed is taken or refused; nothing raises."""
    fields = said() | {"stream_id": value, "event_time": value, name: value, "sequence": value}
    assert read_notice(signed(fields), KEYS, now=NOW) is not None
