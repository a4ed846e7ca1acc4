"""No secret survives, whatever it is wrapped in; nothing else is touched."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.redact import HIDDEN, apart, redact
from tests.support.growth import growth

SECRET = "5ECRE7"

NAMES = (
    "txSecret",
    "txTime",
    "wsSecret",
    "wsTime",
    "sign",
    "sig",
    "token",
    "X-TC-Token",
    "key",
    "api_key",
    "streamKey",
    "auth_key",
    "secretKey",
    "SecretId",
    "TENCENTCLOUD_SECRET_KEY",
    "Signature",
    "password",
    "passphrase",
)

WRAPPINGS: tuple[Callable[[str, str], str], ...] = (
    lambda name, value: f"{name}={value}",
    lambda name, value: f"{name}: {value}",
    lambda name, value: f"--{name} {value}",
    lambda name, value: f"\u2014{name}={value}",
    lambda name, value: f'{name}="{value} {value}"',
    lambda name, value: f"{name}=“{value} {value}”",
    lambda name, value: f"{name}='{value}'{value}",
    lambda name, value: f"rtmp://push.example.com/live/s?a=1&{name}={value}&b=2",
    lambda name, value: f"<rtmp://push.example.com/live/s?a=1&amp;{name}={value}&amp;b=2|s>",
    lambda name, value: f"(see '{name}={value}')",
    lambda name, value: quote(f"https://example.com/?a=1&{name}={value}&b=2", safe=""),
    lambda name, value: quote(quote(f"?a=1&{name}={value}", safe=""), safe=""),
    lambda name, value: quote(json.dumps({"a": 1, name: value}), safe=""),
    lambda name, value: json.dumps({"a": "b", name: value + " " + value, "c": 1}),
    lambda name, value: json.dumps({"said": json.dumps({name: value})}),
    lambda name, value: json.dumps(json.dumps(json.dumps({name: value}))),
    lambda name, value: json.dumps({"url": f"https://h/?a=1&{name}={value}"}).replace(
        "&", "\\u0026"
    ),
    lambda name, value: str({name: value}),
    lambda name, value: repr(f"a\n{name}={value}\nb"),
)

# Punctuation that a value may hold and that must not cut it short.
values = st.lists(st.just(SECRET), min_size=1, max_size=4).flatmap(
    lambda parts: st.lists(
        st.sampled_from(["", "-", "_", ".", "/", "+", "=", "~", ":", ",", ";", ")", "%2B", "@"]),
        min_size=len(parts) - 1,
        max_size=len(parts) - 1,
    ).map(lambda joints: parts[0] + "".join(joint + SECRET for joint in joints))
)
telling = re.compile(
    r"secret|token|pass|sig|key|pwd|arg|auth|time|[AI]KID|xox|xapp-|:|%3a", re.IGNORECASE
)
harmless = st.text(max_size=40).filter(lambda text: not telling.search(text))
fragments = st.sampled_from(
    [
        *NAMES,
        *("=", ": ", "%3D", "%253d", "%26", "%2526", "%22", "&amp;", "&", "?", ";", ",", ")", "]"),
        *('"', "'", '\\"', '\\\\\\"', "\\", "“", "”", "«", " ", "\n", "--", "—", "\\u0026", "is "),
        *(HIDDEN, "[hidd", "rtmp://", ":\\/\\/", "%3A%2F%2F", "@", "%40", "user:pass@host"),
        *("AKIDaaaaaaaa", "xoxb-1-a", "Authorization", "args", "Bearer x", "<", ">", "|", "a", "1"),
    ]
)
hostile = st.lists(fragments | st.text(max_size=6), max_size=14).map("".join)


@given(
    name=st.sampled_from(NAMES),
    value=values,
    wrap=st.sampled_from(WRAPPINGS),
    before=harmless,
    after=harmless,
    upper=st.booleans(),
)
def test_redact_hides_secret_in_any_encoding(
    name: str, value: str, wrap: Callable[[str, str], str], before: str, after: str, upper: bool
) -> None:
    """A secret is hidden in every encoding, and its name is kept."""
    text = wrap(name.upper() if upper else name, value)

    shown = redact(f"{before} {text} {after}")

    assert SECRET not in shown
    assert HIDDEN in shown
    assert name.lower() in shown.lower(), "the name is kept"


@pytest.mark.parametrize("name", NAMES)
def test_redact_knows_every_secret_name(name: str) -> None:
    """Every secret name is recognized in every encoding."""
    for wrap in WRAPPINGS:
        assert SECRET not in redact(wrap(name, SECRET)), wrap(name, SECRET)


@given(hostile)
def test_redact_is_idempotent(text: str) -> None:
    """Redacting a text twice changes nothing more."""
    assert redact(redact(text)) == redact(text)


@given(harmless)
def test_redact_keeps_text_without_secrets(text: str) -> None:
    """A text without secrets is unchanged."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "live stream1 domain=5000.livepush.myqcloud.com app=live",
        "monkey=1 design=2 keynote: 3 tokens 4",
        "https://example.com/live/stream1?bizid=5",
        "SLACK_BOT_TOKEN: is missing",
        "TENCENTCLOUD_SECRET_KEY: has blanks around it",
        "ask @alice about the key, the token or the sign",
        "txSecret=&txTime=",
        'token=""',
        "",
    ],
)
def test_redact_keeps_lookalikes(text: str) -> None:
    """A text that only resembles a secret is unchanged."""
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "rtmp://h/live/s?txSecret=0a1b&txTime=5F and on",
            "rtmp://h/live/s?txSecret=[hidden]&txTime=[hidden] and on",
        ),
        ('{"txSecret": "abc", "b": 1}', '{"txSecret": "[hidden]", "b": 1}'),
        ('{"said":"{\\"token\\":\\"a b\\"}"}', '{"said":"{\\"token\\":\\"[hidden]\\"}"}'),
        ("a%26txSecret%3Dabc%26b%3D1", "a%26txSecret%3D[hidden]%26b%3D1"),
        ("(key=abc), then on", "(key=[hidden]), then on"),
        ("rtmp://user:p@ss@push.example.com/live", "rtmp://[hidden]@push.example.com/live"),
        ("rtmp:\\/\\/user:pass@host\\/live", "rtmp:\\/\\/[hidden]@host\\/live"),
        ("rtmp%3A%2F%2Fuser%3Apass%40host%2Flive", "rtmp%3A%2F%2F[hidden]%40host%2Flive"),
        ("id AKIDz8krbsJ5yKBZQpn74WFkmLPx3, on", "id [hidden], on"),
        ("id%3DIKIDz8krbsJ5yKBZQpn74WFkmLPx3", "id%3D[hidden]"),
        ("xoxb-1-2-abc xoxp-1-a xapp-1-A2-b", "[hidden] [hidden] [hidden]"),
        (
            "Authorization: TC3-HMAC-SHA256 Credential=A/b, Signature=0f\nHost: h",
            "Authorization: [hidden]\nHost: h",
        ),
        ('{"Authorization": "Bearer a b", "H": 1}', '{"Authorization": "[hidden]", "H": 1}'),
        ("car u1 args=bizid=1&amp;opaque", "car u1 args=[hidden]"),
        ("car u1 --args 'opaque thing'", "car u1 --args '[hidden]'"),
        ('key="never closed', 'key="[hidden]'),
        ("txSecret=[hidden]abc", "txSecret=[hidden]"),
    ],
)
def test_redact_hides_only_the_value(text: str, shown: str) -> None:
    """Only the secret value is replaced, and the rest of the text is kept."""
    assert redact(text) == shown
    assert redact(shown) == shown


def test_redact_hides_secret_parameters() -> None:
    """Every parameter that the catalog declares secret is hidden in a typed command."""
    secret = [param for action in ACTIONS for param in action.params if param.secret]

    assert secret
    for param in secret:
        for typed in (f"{param.word}=opaque", f"--{param.word} opaque", f"{param.api}=opaque"):
            assert "opaque" not in redact(f"car u1 {typed}")


@pytest.mark.parametrize(
    "piece",
    [
        *("secret", "key=", 'key="', 'key=\\"', "key= ", "key=,", "key=[hidden", "--k", "-"),
        *(
            "%25",
            "key%25253D",
            "://",
            "://a@",
            "@",
            "%3a%2f%2f",
            "AKID",
            "xoxb-",
            "\\",
            "“",
            "key=“",
        ),
        *("authorization:", "[hidden]", ",a", " ", "\\u0026", "\u2014k", "key:'\\a"),
    ],
)
def test_redact_handles_large_hostile_text(piece: str) -> None:
    """A hostile text of 100 kB is redacted idempotently and in reasonable time."""
    text = "token=" + piece * (100_000 // len(piece))

    # Were it not linear, this test would not end.
    for hostile_text in (text, text[6:] + " key", "'" + text[6:] + "key="):
        once = redact(hostile_text)
        assert redact(once) == once


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "key=opaque",
            "rtmp://user:opaque@host/x",
            "AKIDopaqueopaqueopaque",
            "xoxb-opaque-opaque",
        ),
        *('{"token": "opaque opaque"}', "Authorization: TC3 opaque opaque", "a%26key%3Dopaque"),
    ],
)
def test_redact_of_a_beginning_shows_no_part_of_a_secret(secret: str) -> None:
    """Wherever a long text is cut, also after much was hidden, no part of a secret is left."""
    for before in range(0, 420, 3):
        for hidden in ("", f"key={'y' * 200} "):
            text = f"{hidden}{'x' * before} {secret} {'z' * 1000}"
            shown = redact(text, 100)
            assert len(shown) <= 100
            assert "opa" not in shown
            assert redact(text).startswith(shown)


def test_redact_of_a_beginning_searches_little_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a megabyte only what is shown, and a little more, is searched."""
    searched: list[int] = []

    def counting(text: str) -> str:
        searched.append(len(text))
        return text

    monkeypatch.setattr("bot.redact._without_values", counting)
    assert redact("auth--" * 200_000, 80) == ("auth--" * 20)[:80]
    assert apart("auth--" * 200_000).endswith("…»")
    assert max(searched) < 1000


@pytest.mark.parametrize("piece", ["auth--", "--asecret-key", "--token ", "–key–"])
def test_redact_of_options_costs_little_more_than_of_words(piece: str) -> None:
    """A text of nothing but options is searched about as fast as one of nothing but names."""
    words = ("my key is " * 1000)[:4000]
    options = (piece * 1000)[:4000]

    assert growth(redact, words, options) < 8


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        ("--token opaque", True),
        ("--my-stream-token opaque", True),
        ("–key opaque", True),
        ("---token opaque", True),
        ("- -token opaque", False),
        (f"--{'x' * 24}token opaque", True),
        (f"--{'x' * 25}token opaque", False),
        ("the token opaque", False),
    ],
)
def test_redact_of_an_option_reads_what_stands_before_its_name(text: str, hides: bool) -> None:
    """A blank binds a value only to the name of an option, which begins with two dashes."""
    assert ("opaque" not in redact(text)) is hides
