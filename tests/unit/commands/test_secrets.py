"""Secret values and stream keys never appear in a command or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.commands.diagnostics import caret
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from tests.support.commands import (
    BARE,
    DOMAIN,
    MADE,
    SITES,
    STREAM,
    command,
    read,
)


@pytest.mark.parametrize("secret", ["txSecret=5ECRE7", "TXSECRET=5ECRE7", "wsSecret=5ECRE7"])
def test_stream_url_key_is_absent_from_command_and_error(secret: str) -> None:
    """A stream URL's key appears neither in the parsed command nor in a parse error."""
    found = command(f"live rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in repr(dict(found.params))

    with pytest.raises(ParseError) as caught:
        read(f"lvie rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence

    with pytest.raises(ParseError) as caught:
        read(f"car u1 rtmp://{DOMAIN}/live/stream1?{secret}")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence


@pytest.mark.parametrize(
    "text",
    [
        "car-url u1 https://a.example.com/live2/5ECRE7",
        "car-url rtmp://a.example.com/live2/5ECRE7 u1",
        "car-url user=rtmp://a.example.com/live2/5ECRE7 pushurl=rtmp://b.example.com/x",
        "car-url u1 rtmp://a.example.com/live2/5ECRE7 rtmp://a.example.com/live2/5ECRE7",
        "car-ulr u1 rtmp://a.example.com/live2/5ECRE7",
        "rtmp://a.example.com/live2/5ECRE7 u1",
        "car-url u1 pushurl=5ECRE7",
        "car-url u1 PublishStreamUrl=5ECRE7",
        "car u1 rtmp://a.example.com/live2/5ECRE7",
        "ingest 42 rtmp://a.example.com/live2/5ECRE7 robot1",
        "ingest 42 rtmp://a.example.com/x robot1 5ECRE7 type=2",
        "ingest 42 rtmp://a.example.com/x robot1 sig=5ECRE7 type=2",
        "ingest 42 rtmp://a.example.com/x robot1 UserSig=5ECRE7 mapkey=5ECRE7 type=2",
        "car u1 args = 5ECRE7",
        "car u1 args =5ECRE7",
        "car u1 args= 5ECRE7",
        "car u1 args: 5ECRE7",
        "car u1 args： 5ECRE7",
        "car u1 args 5ECRE7",
        "car u1 argz=5ECRE7",
        "car u1 user=u2 5ECRE7 b=5ECRE7",
        "car u1 b=5ECRE7 '5ECRE7",
        "booth b=5ECRE7 '5ECRE7",
        "car-url u1 pushurl 5ECRE7",
        "ingest 42 pullurl = 5ECRE7",
        "ingest 42 robot1 pullurl = 5ECRE7",
        "ingest 42 rtmp://a.example.com/x robot1 sig 5ECRE7",
    ],
)
def test_parser_error_never_contains_secret_value(text: str) -> None:
    """No parse error contains the value of a secret parameter, however it was typed."""
    with pytest.raises(ParseError) as caught:
        read(text, Effect.START)
    error = caught.value

    assert "5ECRE7" not in error.text + error.sentence + error.suggestion
    assert "5ECRE7" not in caret(error)


def test_parser_error_hides_secret_default() -> None:
    """An error about a secret default from the policy does not show its value."""
    told = Vocabulary(ACTIONS, {"car-url": {"PublishStreamURL": "live2/5ECRE7"}}, {}, "", SITES)

    with pytest.raises(ParseError, match="hidden") as caught:
        read("car-url u1", Effect.START, vocabulary=told)
    assert "5ECRE7" not in str(caught.value)


def test_parser_redacts_key_in_case() -> None:
    """A stream key typed in a case is redacted."""
    assert command("live stream1 case=txSecret:5ECRE7").case == "txSecret:[hidden]"


def test_parser_strips_key_from_stream_name() -> None:
    """A key that follows a stream name is dropped, and one in free text is redacted."""
    for text in ("live stream1?txSecret=5ECRE7&amp;txTime=5F", "live 'stream1&txSecret=5ECRE7'"):
        assert dict(command(text).params) == STREAM
    assert command("ban stream1 reason='the token=5ECRE7 leaked'").params["Reason"] == (
        "the token=[hidden] leaked"
    )


@given(
    st.sampled_from(
        ["live ", "lvie ", "car ", "record x ", "status ", "", "main-stage ", "audit "]
    ),
    st.sampled_from(["rtmp", "srt", "webrtc", "https", "nope"]),
    st.sampled_from(["?", "&", "?a=b&", "?a=b&amp;"]),
    st.sampled_from(["txSecret=", "txSecret%3D", "wsSecret="]),
    st.sampled_from(["", " domain=x", " app=y", " 'z", " extra words", " --help", " region=q"]),
)
def test_parser_never_keeps_stream_key(
    begin: str, scheme: str, sign: str, name: str, after: str
) -> None:
    """No parse result and no parse error keeps the key of a stream URL."""
    text = f"{begin}{scheme}://push.a.b/live/x{sign}{name}5ECRE7{after}"
    try:
        left = repr(read(text))
        left += repr(dict(found.params)) if isinstance(found := read(text), Command) else ""
    except ParseError as error:
        left = error.sentence + error.text + error.suggestion + caret(error)
        assert error.__context__ is None
    assert "5ECRE7" not in left


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("made m url=rtmp://x/5ECRE7 bogus=1", "bogus"),
        ("made m rtmp://x/5ECRE7 bogus=1", "bogus"),
        ("made m u extra5ECRE7", "[hidden]"),
        ("mdae m url=rtmp://x/5ECRE7", "mdae"),
        ("made m PUSHURL=rtmp://x/5ECRE7 PushUrl=2", "PushUrl=[hidden]"),
        ('made m --url "rtmp://x/5ECRE7', "[hidden]"),
        ('made m url=rtmp://x/5ECRE7 "open', "[hidden]"),
        ("made m url=\u00905ECRE7", "url=[hidden]"),
    ],
)
def test_parser_error_keeps_span_after_redaction(text: str, meant: str) -> None:
    """A parse error hides a secret value and still marks the right words."""
    with pytest.raises(ParseError) as caught:
        read(text, Effect.START, MADE)

    error = caught.value
    assert "5ECRE7" not in error.sentence + error.text + error.suggestion
    assert error.text[error.start : error.end] == meant


def test_parser_error_shows_example_unredacted() -> None:
    """The example in a parse error is complete and not redacted."""
    with pytest.raises(ParseError) as missing:
        read("ingest 12", Effect.START, BARE)
    with pytest.raises(ParseError) as empty:
        read("car u1 args=", Effect.START)

    assert "pullurl=rtmp://pull.example.com/live/stream1 user=" in missing.value.sentence
    assert "[hidden]" not in missing.value.sentence
    assert empty.value.sentence.endswith("write args=ARGS.")


@pytest.mark.parametrize("name", ["push", "Push", "PUSH"])
def test_unclosed_quote_after_a_target_in_any_case_is_hidden(name: str) -> None:
    """What follows a target that takes a secret is hidden, in whatever case it is named."""
    vocabulary = Vocabulary(ACTIONS, {}, {"push": "start car u1"}, "", SITES)

    with pytest.raises(ParseError) as caught:
        read(f'{name} "5ECRE7', Effect.START, vocabulary)
    assert "5ECRE7" not in caught.value.text + caught.value.sentence
