"""The signer, held to Tencent's published examples and to the official SDK."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.sign import Sign

from bot.tencent import tc3
from tests.support.paths import ROOT

_FILE = ROOT.parent / "shared" / "facts" / "tc3_vectors.json"

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


def test_tc3_vectors_are_complete() -> None:
    """All six published vectors are loaded where the file with them is present."""
    if not _FILE.exists():
        pytest.skip("tc3_vectors.json is not beside this checkout")
    assert len(VECTORS) == 6


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_tc3_steps_match_published_vectors(vector: dict[str, Any]) -> None:
    """Each signing step gives the value of the published vectors, and the header parses back."""
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
def test_tc3_signature_matches_official_sdk(
    key: str, service: str, action: str, timestamp: int, payload: bytes, post: bool
) -> None:
    """The signature equals the one that the official SDK computes."""
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
def test_tc3_day_is_utc_date_of_timestamp(timestamp: int, day: str) -> None:
    """The signing date is the UTC date of the timestamp."""
    assert tc3.utc_day(timestamp) == day


def test_tc3_signing_key_cache_separates_key_day_and_service() -> None:
    """A cached signing key is never reused for another secret key, day or service."""
    keys = {
        tc3.signing_key(secret, day, service)
        for _ in range(2)
        for secret in ("a", "b")
        for day in ("2026-01-01", "2026-01-02")
        for service in ("live", "car")
    }
    assert len(keys) == 8


def test_tc3_canonical_request_requires_signed_headers() -> None:
    """A missing header that must be signed raises KeyError."""
    with pytest.raises(KeyError):
        tc3.canonical_request("POST", "", {"host": "h"}, tc3.SIGNED_HEADERS, b"")


@given(st.text())
def test_tc3_parse_authorization_refuses_other_text(text: str) -> None:
    """Text that is not a TC3 authorization header raises ValueError."""
    with pytest.raises(ValueError, match="not a TC3"):
        tc3.parse_authorization(text)


def test_tc3_credentials_repr_hides_secrets() -> None:
    """The repr of credentials shows neither the secret key nor the token."""
    shown = repr(tc3.Credentials("AKIDx", "SECRETKEY", "TOKEN"))

    assert "SECRETKEY" not in shown
    assert "TOKEN" not in shown
