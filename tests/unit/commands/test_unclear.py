"""What stands right next to a name is taken off or asked about, and never sent with it."""

from dataclasses import replace
from urllib.parse import unquote

import pytest

from bot.catalog.registry import ALL_ACTIONS
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import DOMAIN, RICH, STREAM, command, read

_WITH_HOLDS = replace(RICH, actions=ALL_ACTIONS)


def _refused(text: str, verb: Effect | None = Effect.STOP) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(text, verb, _WITH_HOLDS)
    return caught.value


def _offered(text: str) -> list[str]:
    """Return the names that the buttons of a refusal stop."""
    offers = _refused(text).commands
    return [command(offer.text, None, _WITH_HOLDS).target.split()[-1] for offer in offers]


_OPENING, _CLOSING = "\"'“‘„«", "\"'”’“»"


@pytest.mark.parametrize("quotes", list(zip(_OPENING, _CLOSING, strict=True)))
@pytest.mark.parametrize("between", ["", ",", ";", "|", "+", "&amp;", "，", "、", "/", ",,"])
def test_quotes_in_a_row_are_several_names(quotes: tuple[str, str], between: str) -> None:
    """Quoted names without a space between them are a list, never one name."""
    first, last = quotes
    names = f"{first}cam1{last}{between}{first}cam2{last}"

    for text in (f"live {names}", f"ban stream={names} for 30m", f"hold live {names} reason=x"):
        assert _offered(text) == ["cam1", "cam2"]


@pytest.mark.parametrize(
    "typed",
    [
        *('""stream1""', '“"stream1"”', '"stream1"x', "'stream1'2", 'x"stream1"', '"a"b"c"'),
        *('"StreamName":"stream1"', '{"StreamName":"stream1"}', '"StreamName"="stream1"'),
        *("{'StreamName':'stream1'}", "“名称”：“stream1”", '["stream1"', "stream:“stream1”"),
        *('stream="stream1"x', 'stream=x"stream1"', '"stream1"stream2"', "`stream1`x"),
        *("(stream1)(stream2)", "[a][b]", "「a」「b」", "*a**b*", "`a``b`", "&lt;a&gt;&lt;b&gt;"),
    ],
)
@pytest.mark.parametrize("begin", ["live ", "ForbidLiveStream ", "car "])
def test_text_right_against_quotes_is_asked_about(begin: str, typed: str) -> None:
    """Text that touches a quote or another bracket is never joined to the name."""
    if begin == "car ":
        typed = typed.removeprefix("stream=")
    assert "5000" not in _refused(begin + typed).sentence


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(('live "a"."', 'a"."') for _ in ()),
        ('live "stream1".', "stream1"),
        ('live ("stream1"),', "stream1"),
        ('live "a"\'"\'"b"', 'a"b'),
        ('live "a&amp;""b"', "a&b"),
        ("live it's", "it's"),
        ("live \"'a'\"", "'a'"),
        ("live a(b)c(d)e", "a(b)c(d)e"),
        ("live 伊丽莎白·泰勒", "伊丽莎白·泰勒"),
    ],
)
def test_one_quoted_word_is_one_name(text: str, name: str) -> None:
    """A whole quoted word is the name, and so is one that needs several quotes."""
    assert command(text).params["StreamName"] == name


@pytest.mark.parametrize(
    "emoji", [":fire:", ":red_circle:", ":+1:", ":100:", ":wave::skin-tone-3:"]
)
@pytest.mark.parametrize("end", ["", ".", ":", ", please"])
def test_emoji_right_against_a_name_is_asked_about(emoji: str, end: str) -> None:
    """The short code of an emoji at either end of a name is asked about, as the emoji is."""
    for text in (f"live stream1{emoji}{end}", f"live {emoji}stream1{end}"):
        assert _offered(text)[0] == "stream1"
        assert "quote it all" in _refused(text).sentence
    _refused(f"live rtmp://{DOMAIN}/live/stream1{emoji}{end}")
    _refused(f"hold stream stream1{emoji} reason=x")


@pytest.mark.parametrize("emoji", [":a::b:", ":a::b::c:", ":wave::skin-tone-2::b:", ":a: :b:"])
def test_emoji_in_a_row_are_decoration(emoji: str) -> None:
    """Several emoji without a space between them are left out as one is."""
    assert dict(command(f"{emoji} stop live stream1", None).params) == STREAM
    assert dict(command(f"live stream1 {emoji}").params) == STREAM
    assert dict(command(f"{emoji}live stream1").params) == STREAM
    offers = _refused(f"{emoji}stream1").commands
    assert offers[0].label == "Stop stream1"


@pytest.mark.parametrize("colon", [":", "：", "﹕"])
@pytest.mark.parametrize(
    "label",
    ["stream", "Stream", "StreamName", "name", "key", "live", "流名称", "ストリーム名", "domain"],
)
def test_label_right_against_a_name_is_asked_about(label: str, colon: str) -> None:
    """A label is never sent as a part of a name, and its colon may be of any width."""
    for text in (f"live {label}{colon}cam7", f"hold live {label}{colon}cam7 reason=x"):
        error = _refused(text)
        assert "quote it all" in error.sentence or "without marks" in error.sentence
    _refused(f"hold stream {label}{colon}cam7 reason=x")
    _refused(f"live rtmp://{DOMAIN}/live/{label}{colon}cam7")
    if colon != "﹕" and label != "key":
        assert _offered(f"live {label}{colon}cam7") == ["cam7", f"{label}{colon}cam7"]


@pytest.mark.parametrize("typed", ["user:12345", "UserId:12345", "userid：12345", "id:12345"])
def test_label_of_a_user_is_asked_about(typed: str) -> None:
    """A user that may be labelled is asked about, because ids may hold a colon."""
    assert _offered(f"car {typed}") == ["12345", typed]


@pytest.mark.parametrize("name", ["a:b", "cam:1", "u:12345", "12:30", "a:12:30", "room7:main"])
def test_name_with_a_colon_is_kept(name: str) -> None:
    """A colon after anything else than a label belongs to the name."""
    assert command(f"live {name}").params["StreamName"] == name


@pytest.mark.parametrize(
    "names",
    ["cam1&amp;cam2", "cam1＆cam2", "cam1+cam2", "cam1和cam2", "cam1与cam2", "cam1&amp;&amp;cam2"],
)
def test_names_joined_by_a_sign_are_several(names: str) -> None:
    """Names with a sign for `and` between them are a list."""
    assert _offered(f"live {names}") == ["cam1", "cam2"]
    assert _offered(f"hold stream {names} reason=x") == ["cam1", "cam2"]


@pytest.mark.parametrize(
    "typed",
    [
        *("stream1&amp;nbsp;", "stream1&amp;#39;", "stream1&amp;quot;", "&amp;nbsp;stream1"),
        *(
            "stream1→stream2",
            "stream1-&gt;stream2",
            "main‑stage",
            "a—b",
            "a＝b",
            "a•b",
            "lobby+hall",
        ),
        *("stream1&amp;app=live2", "StreamName=stream1&amp;DomainName=a.b.com", "a🔥b", "a…b"),
    ],
)
def test_sign_of_print_inside_a_name_is_asked_about(typed: str) -> None:
    """Entities, fields and signs that phones and pages put in are never sent unasked."""
    _refused(f"live {typed}")
    if "&" not in typed:
        _refused(f"live rtmp://{DOMAIN}/live/{typed}")


def test_fields_are_offered_apart() -> None:
    """What a console joins by `&` is offered as values of their own."""
    error = _refused(f"live StreamName=stream1&amp;DomainName={DOMAIN}&amp;AppName=live")

    assert dict(command(error.commands[0].text, None).params) == STREAM


@pytest.mark.parametrize(
    "name", ["c3RyZWFtMQ==", "YWJj+2==", "stream1+hd", "a+b", "和平", "a.b@c", "é"]
)
def test_sign_of_a_name_is_kept(name: str) -> None:
    """Signs that names may hold are sent as they are."""
    assert command(f"live {name}").params["StreamName"] == name


@pytest.mark.parametrize(
    "word", ["all", "ALL", "all.", "everything", "*all*", "全部", "alle", "tous"]
)
def test_word_for_everything_is_no_name(word: str) -> None:
    """A word for all streams is asked about; quoted, or after its parameter, it is a name."""
    for text in (f"live {word}", f"ban {word} for 30m", f"live {word} streams"):
        assert "One command is for one stream" in _refused(text).sentence
    _refused(f"hold stream {word} reason=x")

    assert command(f'live "{word}"').params["StreamName"] == word
    assert command("live stream=all").params["StreamName"] == "all"


@pytest.mark.parametrize("typed", ["prod-?", "prod_?", "prod-？", "prod-?,"])
def test_sign_for_any_character_is_asked_about(typed: str) -> None:
    """A question mark after a hyphen is no end of a sentence for certain."""
    assert _offered(f"live {typed}")[0] == typed[:5]


@pytest.mark.parametrize("sign", ["?", "？", "﹖", "&amp;", "%3F"])
def test_query_after_a_bare_name_is_left_out(sign: str) -> None:
    """A key after a push name is no part of it, in whatever spelling its query begins."""
    assert dict(command(f"live stream1{sign}txSecret=5ECRE7&amp;txTime=5F").params) == STREAM
    assert dict(command(f"live stream=stream1{sign}txSecret=5ECRE7").params) == STREAM


@pytest.mark.parametrize(
    "name", ["{stream1}", "$stream1", "stream1→", "a→b", "stream:stream1", "%22a%22"]
)
def test_address_with_a_mark_offers_only_all_of_it(name: str) -> None:
    """The button of an address with a mark in its name has the whole name, or none of its marks."""
    offers = _refused(f"live rtmp://{DOMAIN}/live/{name}").commands
    names = {command(one.text, None).params["StreamName"] for one in offers}

    assert names <= {"stream1", unquote(name)}


@pytest.mark.parametrize(
    "names", ["stream1,all", "stream1 for:2h", "stream1,stream:stream2", "all,a1"]
)
def test_word_that_may_be_no_name_is_on_no_button(names: str) -> None:
    """Of a list, only what is a name for certain is offered."""
    offers = _refused(f"live {names}").commands

    for offer in offers:
        assert command(offer.text, None).params["StreamName"] in ("stream1", "a1")
