"""The JSON of notices is read within bounds, whatever is sent."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hooks.bounded_json import DEEPEST, MOST, MalformedError, parse_object, parse_storable


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def test_depth_is_bounded() -> None:
    """Twenty levels are read, twenty-one are not, and no number of them exhausts a stack."""
    assert parse_object(nested(DEEPEST))
    for body in (nested(DEEPEST + 1), nested(20_000), b"[" * MOST, b'{"a":' + b"[" * 200_000):
        with pytest.raises(MalformedError):
            parse_object(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b'{"a":NaN}', b'{"a":-Infinity}', b"\xff{}", b"\xef\xbb\xbf{}"],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """A notice is one JSON object in UTF-8, without the numbers that JSON does not have."""
    with pytest.raises(MalformedError):
        parse_object(body)


def test_size_is_bounded() -> None:
    """A notice of more than 256 KB is not even parsed."""
    with pytest.raises(MalformedError):
        parse_object(b'{"a":"' + b"x" * MOST + b'"}')


@pytest.mark.parametrize("escaped", ["\\ud800", "\\udfff", "\\u0000", "x\\uDBFFy"])
def test_what_no_database_holds_is_replaced(escaped: str) -> None:
    """Half characters and NUL, which JSON can hold, are replaced in keys and in texts."""
    body = f'{{"a{escaped}": ["{escaped}", {{"b": "{escaped}"}}], "c": "\\ud83d\\udca3"}}'
    found = parse_storable(body.encode())

    plain = json.dumps(found, ensure_ascii=False)
    assert "\x00" not in plain
    assert plain.encode().count("\ufffd".encode()) == 3
    assert found["c"] == "\U0001f4a3"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but MalformedError is raised."""
    with contextlib.suppress(MalformedError):
        assert isinstance(parse_object(body), dict)
