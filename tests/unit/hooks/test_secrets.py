"""Who may send notices: tokens, signatures, times, and two secrets at once."""

import base64
import hmac

import pytest

from bot.hooks.exchange import NO_SECRET, OUT_OF_TIME, WRONG_SECRET, WRONG_SIGNATURE, HookRequest
from bot.hooks.secrets import check_hmac, check_timed_hmac, check_token

OLD, NEW = "old-secret-0123456789", "new-secret-0123456789"
BODY = b'{"a": 1}'
AT = 1_700_000_000.0


def request(**headers: str) -> HookRequest:
    return HookRequest({name.replace("_", "-"): value for name, value in headers.items()}, BODY, AT)


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"alertmanager:{password}".encode()).decode()


def signed(secret: str, what: bytes = BODY) -> str:
    return "v1=" + hmac.digest(secret.encode(), what, "sha256").hex()


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_token_is_either_of_two_secrets(secret: str) -> None:
    """While a secret is replaced, both open the route, as bearer token and as password."""
    for given in (f"Bearer {secret}", f"bearer  {secret}", basic(secret)):
        assert check_token(request(authorization=given), (OLD, NEW)) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", NO_SECRET),
        ("Bearer", WRONG_SECRET),
        ("Bearer ", WRONG_SECRET),
        (f"Bearer {OLD[:-1]}", WRONG_SECRET),
        (f"Bearer {OLD}é", WRONG_SECRET),
        (f"Bearer {OLD}\udcff", WRONG_SECRET),
        (f"Digest {OLD}", NO_SECRET),
        (basic("x"), WRONG_SECRET),
        ("Basic !!!", WRONG_SECRET),
        ("Basic " + base64.b64encode(OLD.encode()).decode(), WRONG_SECRET),
    ],
)
def test_token_is_refused(given: str, why: object) -> None:
    """An absent secret is told from a wrong one, and nothing raises."""
    assert check_token(request(authorization=given), (OLD, NEW)) is why


def test_signature_is_one_of_several() -> None:
    """PagerDuty lists a signature for each of its secrets; one of ours is enough."""
    assert check_hmac(BODY, f"v1=00,{signed(NEW)}", (OLD, NEW)) is None
    assert check_hmac(BODY, f"v1=00, {signed(OLD).upper().replace('V1', 'v1')}", (OLD,)) is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", NO_SECRET),
        ("v0=" + signed(OLD)[3:], WRONG_SIGNATURE),
        (signed(OLD, BODY + b" "), WRONG_SIGNATURE),
        (signed("another-secret-012345"), WRONG_SIGNATURE),
        ("v1=", WRONG_SIGNATURE),
        ("v1=é", WRONG_SIGNATURE),
        ("v1=00," * 8 + signed(OLD), WRONG_SIGNATURE),
    ],
)
def test_signature_is_refused(header: str, why: object) -> None:
    """A signature of another body, of another secret or after eight others does not count."""
    assert check_hmac(BODY, header, (OLD,)) is why


@pytest.mark.parametrize("by", [-301, 301, 10**9])
def test_signature_of_another_time_is_refused(by: int) -> None:
    """What was recorded more than five minutes ago, or is of the future, is not taken."""
    at = str(int(AT) + by)
    header = signed(OLD, f"v1:{at}:".encode() + BODY)
    assert check_timed_hmac(request(), at, header, (OLD,)) is OUT_OF_TIME


def test_signature_covers_its_time() -> None:
    """A recorded signature cannot be given another time."""
    at, later = str(int(AT) - 300), str(int(AT))
    header = signed(OLD, f"v1:{at}:".encode() + BODY)
    assert check_timed_hmac(request(), at, header, (OLD,)) is None
    assert check_timed_hmac(request(), later, header, (OLD,)) is WRONG_SIGNATURE


@pytest.mark.parametrize("at", ["", "x", "-1", "1e9", "٣", "9" * 13, "1.5"])
def test_time_that_is_no_number_is_refused(at: str) -> None:
    """A signed time is epoch seconds in digits."""
    header = signed(OLD, f"v1:{at}:".encode() + BODY)
    assert check_timed_hmac(request(), at, header, (OLD,)) is OUT_OF_TIME
