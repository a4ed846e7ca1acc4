"""The signer, held to Tencent's published examples and to the official SDK."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.sign import Sign

from bot.tencent import tc3

_FILE = Path(__file__).parents[1].parent / "shared" / "facts" / "tc3_vectors.json"

# One published example stands here, so that the signer is held to something everywhere.
PUBLISHED: dict[str, Any] = {
    "name": "common params page, GET",
    "secret_key": "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
    "method": "GET",
    "query": "Limit=10&Offset=0",
    "headers": {
        "content-type": "application/x-www-form-urlencoded",
        "host": "cvm.tencentcloudapi.com",
    },
    "signed_headers": "content-type;host",
    "payload": "",
    "timestamp": 1539084154,
    "date": "2018-10-09",
    "service": "cvm",
    "hashed_canonical_request": "91c9c192c14460df6c1ffc69e34e6c5e90708de2a6d282cccf957dbf1aa7f3a7",
    "signature": "5da7a33f6993f0614b047e5df4582db9e9bf4672ba50567dba16c6ccf174c474",
}
VECTORS: list[dict[str, Any]] = [
    PUBLISHED,
    *(json.loads(_FILE.read_text()) if _FILE.exists() else []),
]


def test_every_vector_is_at_hand() -> None:
    if not _FILE.exists():
        pytest.skip("tc3_vectors.json is not beside this checkout")
    assert len(VECTORS) == 6


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_each_step_gives_the_published_string(vector: dict[str, Any]) -> None:
    signed = tuple(vector["signed_headers"].split(";"))
    payload = vector["payload"].encode()
    request = tc3.canonical_request(
        vector["method"], vector["query"], vector["headers"], signed, payload
    )
    text = tc3.string_to_sign(vector["timestamp"], vector["service"], request)
    date = tc3.secret_date(vector["secret_key"], vector["date"])
    service = tc3.secret_service(date, vector["service"])
    signing = tc3.secret_signing(service)
    steps = {
        "date": tc3.utc_day(vector["timestamp"]),
        "hashed_payload": tc3.hashed(payload),
        "canonical_request": request,
        "hashed_canonical_request": tc3.hashed(request.encode()),
        "string_to_sign": text,
        "secret_date": date.hex(),
        "secret_service": service.hex(),
        "secret_signing": signing.hex(),
        "signature": tc3.signature(signing, text),
    }

    assert {name: step for name, step in steps.items() if name in vector} == {
        name: vector[name] for name in steps if name in vector
    }
    header = tc3.authorization(
        vector["headers"],
        payload,
        credentials=tc3.Credentials("AKIDEXAMPLE", vector["secret_key"]),
        service=vector["service"],
        timestamp=vector["timestamp"],
        method=vector["method"],
        query=vector["query"],
        signed_headers=signed,
    )
    assert tc3.parse_authorization(header) == tc3.Authorization(
        "AKIDEXAMPLE", vector["date"], vector["service"], signed, vector["signature"]
    )


_WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1)


@given(
    key=_WORD,
    service=st.sampled_from(["live", "trtc", "car"]),
    action=_WORD,
    timestamp=st.integers(1_500_000_000, 2_500_000_000),
    payload=st.binary(max_size=200),
    post=st.booleans(),
)
def test_the_official_sdk_signs_the_same(
    key: str, service: str, action: str, timestamp: int, payload: bytes, post: bool
) -> None:
    method, query = ("POST", "") if post else ("GET", "A=1&B.0=x%20y")
    payload = payload if post else b""
    headers = {"content-type": "application/json", "host": "h.example", "x-tc-action": action}
    request = tc3.canonical_request(method, query, headers, tc3.SIGNED_HEADERS, payload)
    text = tc3.string_to_sign(timestamp, service, request)
    date = tc3.utc_day(timestamp)

    ours = tc3.authorization(
        headers,
        payload,
        credentials=tc3.Credentials("id", key),
        service=service,
        timestamp=timestamp,
        method=method,
        query=query,
    )

    assert ours.endswith("Signature=" + Sign.sign_tc3(key, date, service, text))


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [(1_700_006_399, "2023-11-14"), (1_700_006_400, "2023-11-15"), (0, "1970-01-01")],
)
def test_the_day_is_the_timestamps_own_in_utc(timestamp: int, day: str) -> None:
    assert tc3.utc_day(timestamp) == day


def test_a_kept_key_is_never_used_for_another_key_day_or_service() -> None:
    keys = {
        tc3.signing_key(secret, day, service)
        for _ in range(2)
        for secret in ("a", "b")
        for day in ("2026-01-01", "2026-01-02")
        for service in ("live", "car")
    }
    assert len(keys) == 8


def test_a_header_to_sign_may_not_be_missing() -> None:
    with pytest.raises(KeyError):
        tc3.canonical_request("POST", "", {"host": "h"}, tc3.SIGNED_HEADERS, b"")


@given(st.text())
def test_what_is_no_authorization_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a TC3"):
        tc3.parse_authorization(text)


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(tc3.Credentials("AKIDx", "SECRETKEY", "TOKEN"))

    assert "SECRETKEY" not in shown
    assert "TOKEN" not in shown
