"""Decoration around unquoted words is taken off or asked about; quoted text is left as it is."""

from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.catalog.param_types import is_invisible
from bot.catalog.registry import ALL_ACTIONS
from bot.commands.decoration import is_unclear
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from tests.support.commands import DOMAIN, RICH, STREAM, command, read


@pytest.mark.parametrize(
    "typed",
    [
        *("*stream1*", "_stream1_", "~stream1~", "`stream1`", "*_stream1_*", "_*`stream1`*_"),
        *("(stream1)", "[stream1]", "&lt;stream1&gt;", "{stream1}", "（stream1）", "【stream1】"),
        *("stream1;", "stream1?", "stream1,", "stream1…", "stream1。", "stream1！", "stream1)."),
        *('"stream1".', '"stream1";', '"stream1"?', '("stream1")', "*“stream1”*", "stream1,."),
        *("「stream1」", "『stream1』", "‹stream1›", "»stream1«", "„stream1“", "‚stream1‘"),
        *("《stream1》", "＂stream1＂", "”stream1”", "«stream1»", "stream1 :pray:", "stream1 🙏"),
        *(
            "｛stream1｝",
            "＜stream1＞",
            "〖stream1〗",
            "⟨stream1⟩",
            "﹁stream1﹂",
            "❝stream1❞",
            "|stream1|",
        ),
        *("〚stream1〛", "⟦stream1⟧", "｢stream1｣", "❮stream1❯", "(*«stream1».*)"),
        *("\u202astream1\u202c", "\u2066stream1\u2069", "stream1\ufe0f", "\ufeffstream1"),
    ],
)
def test_decoration_around_name_is_taken_off(typed: str) -> None:
    """Formatting, brackets, sentence ends and quotes of any language are not part of a name."""
    if typed == "stream1).":
        typed = "(stream1)."
    assert dict(command(f"live {typed}").params) == STREAM
    assert dict(command(f"live stream={typed}").params) == STREAM


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("*live stream1*", Effect.STOP),
        ("*stop live stream1*", None),
        ("stop *live* stream1", None),
        ("_*stop* live stream1_.", None),
        ("(live stream1)", Effect.STOP),
        ("&gt; live stream1", Effect.STOP),
        ("&gt;live stream1", Effect.STOP),
        ("• live stream1", Effect.STOP),
        (f"live *stream1 domain={DOMAIN}*", Effect.STOP),
        ("live: stream1", Effect.STOP),
        ("```\nstop live stream1\n```", None),
    ],
)
def test_decoration_around_command_is_taken_off(text: str, verb: Effect | None) -> None:
    """Formatting around a whole command or its first words does not change it."""
    found = command(text, verb)

    assert found.action.api == "DropLiveStream"
    assert dict(found.params) == STREAM


@pytest.mark.parametrize(
    "name",
    [
        *("*stream1", "stream1*", "(stream1", "stream1]", "stream1»", "->stream1", "=>stream1"),
        *("→stream1", "#stream1", "$stream1", "☐stream1", "·stream1", "…stream1", "stream1+"),
        *("stream1🙏", "✅stream1", "=stream1", "%stream1", "stream1%", "^stream1", "stream1™"),
    ],
)
def test_unclear_mark_is_asked_about(name: str) -> None:
    """A mark at one end of a name only is asked about; the answer shows the name quoted."""
    with pytest.raises(ParseError, match="quote it all") as caught:
        read(f"live {name}")

    assert f'"{name}"' in caught.value.sentence
    assert command(f'live "{name}"').params["StreamName"] == name


@pytest.mark.parametrize(
    "name", ["*a*", "_a_", "(a)", "a;", "a?", "a,b", "a b", "now", "30m", "「a」", ":a:", "a="]
)
def test_quoted_name_is_left_as_it_is(name: str) -> None:
    """A quoted name is sent as it is, decoration and all."""
    assert command(f'live "{name}"').params["StreamName"] == name
    assert command(f'live stream="{name}"').params["StreamName"] == name


@pytest.mark.parametrize("name", ["_stream", "stream_", "-a-", "a-b_c.d", "a*b", "a(b)c", "a:b"])
def test_mark_of_a_name_is_kept(name: str) -> None:
    """What may stand in a name is no decoration."""
    assert command(f"live {name}").params["StreamName"] == name


@pytest.mark.parametrize(
    "names",
    [
        *("stream1,stream2", "stream1, stream2", "stream1 stream2", "stream1;stream2", "a|b"),
        *("stream1 and stream2", "stream1、stream2", "stream1，stream2", "stream1\nstream2"),
        "https://play.example.com/live/a.flv https://play.example.com/live/b.flv",
        f"rtmp://{DOMAIN}/live/a rtmp://{DOMAIN}/live/b",
        f"rtmp://{DOMAIN}/live/a,rtmp://{DOMAIN}/live/b",
    ],
)
@pytest.mark.parametrize("kind", ["live", "ban", "pad"])
def test_several_names_are_refused_with_the_way_out(kind: str, names: str) -> None:
    """Several names are never sent as one; the answer says how several are stopped."""
    with pytest.raises(ParseError, match="send one for each"):
        read(f"{kind} {names}")


@pytest.mark.parametrize(
    "name", ["a\u200bb", "a\u202eb", "a\u2028b", "a\u3164b", '"\u3164"', "a\u2800b"]
)
def test_invisible_character_in_name_is_refused(name: str) -> None:
    """A character that nobody sees is never sent as part of a name."""
    with pytest.raises(ParseError):
        read(f"live stream={name}")


@pytest.mark.parametrize(
    "name", ["<@U0ALICE>", "live<@U1>", "a<@W012|bob>", "<#C0INC|incidents>", "a<!here>", "*<@U1>*"]
)
def test_mention_is_no_name(name: str) -> None:
    """A mention is never sent as a name, or as a part of one, unless it is quoted."""
    with pytest.raises(ParseError, match="A mention is not the name of a stream"):
        read(f"live {name}")


@pytest.mark.parametrize("kind", ["car", "record", "ingest"])
def test_address_is_no_name_of_what_is_no_stream(kind: str) -> None:
    """An address is sent as a name of nothing else, unless it is quoted."""
    with pytest.raises(ParseError):
        read(f"{kind} https://{DOMAIN}/live/a.mp4 region=ap-singapore sdkappid=1 task=7")

    assert command('car "https://a.b/c"').params["UserId"] == "https://a.b/c"


@pytest.mark.parametrize(
    "text", ["hold stream a,b reason=x", "hold stream (a reason=x", "hold live a,b reason=x"]
)
def test_hold_of_several_names_is_refused(text: str) -> None:
    """A hold is read as strictly as a stop."""
    with pytest.raises(ParseError):
        read(text, vocabulary=replace(RICH, actions=ALL_ACTIONS))


_QUOTES = "\"'“”‘’„«»"
_PIECES = st.sampled_from(
    [
        *("live", "ban", "car", "record", "stream=", "domain=", DOMAIN, "for", "30m", "please"),
        *"*_~`()[]{}<>,;.!?:= \n\"'“”«»「」|/-%&#@",
        *("\u200b", "\u00a0", "\u3164", "\u202e", "\ufe0f", "\u2028", "\u034f", "🙏", "&amp;"),
        *("&lt;", "&gt;", "<@U1>", "%20", "%E2%80%8B", f"rtmp://{DOMAIN}/live/", "?txSecret=a"),
        *("stream1", "main-stage", "c3RyZWFtMQ==", "2", "hours", "a", "é", "流", "\U000e0100"),
    ]
)


def _typed(text: str) -> str:
    for escaped, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, sign)
    text = text.replace("<@U1>", "@U1")
    kept = (" " if char.isspace() else char for char in text if char not in _QUOTES)
    return "".join(kept)


@given(
    st.sampled_from(["live ", "ban ", "live stream=", "record ", "*live ", "car "]),
    st.lists(st.one_of(_PIECES, st.text(max_size=2)), max_size=12).map("".join),
)
@example("live ", "live*?txSecret=a")
@example("live ", "s1*&txSecret=5ECRE7")
def test_sent_name_is_visible_and_stands_in_text(kind: str, rest: str) -> None:
    """For any text, what is sent as a name was typed as it is, and all of it is visible."""
    try:
        found = read(kind + rest)
    except ParseError:
        return
    if not isinstance(found, Command):
        return
    for name in found.action.effect_spec.key:
        value = found.params.get(name)
        if not isinstance(value, str):
            continue
        assert value
        assert value.isprintable()
        assert not is_unclear(value) or set(_QUOTES) & set(kind + rest)
        assert not any(map(is_invisible, value))
        known = " ".join([kind + rest, unquote(kind + rest), *RICH.targets.values(), DOMAIN])
        assert _typed(value).casefold() in _typed(known).casefold()
