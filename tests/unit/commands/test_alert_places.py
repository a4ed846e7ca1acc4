"""The names in an alert, and the push domain and the path of each stream: its own, or none."""

import pytest

from bot.commands.alerts import find_candidates

A, B = "a.push.example.com", "b.push.example.com"


def _found(text: str) -> list[dict[str, str]]:
    return [dict(one.params) for one in find_candidates({"text": text})]


@pytest.mark.parametrize(
    "text",
    [
        f"Stream cam-7 on {A}/live2 lost 50% packets",
        f"Stream `cam-7` at `{A}/live2` stalls",
        f"Stream: cam-7 ({A}/live2)",
        f"Stream: cam-7 [{A}:1935/live2]",
        f"Stream: cam-7@{A}/live2",
        f"Stream: cam-7 @ {A}/live2.",
        f"Stream: cam-7, pushed to {A}/live2",
        f"Stream: cam-7\nServer: {A}/live2/",
        f"\u63a8\u6d41\u5730\u5740\uff1a{A}/live2\n\u6d41\u540d\u79f0\uff1acam-7",
        f"Stream name\ncam-7\nDomain\n{A}\nApp\nlive2",
        f"*Stream name*\n`cam-7`\n*Push domain*\n`{A}`\n*Path*\n`live2`",
        f"*Stream:* `cam-7`\n*Domain:* `{A}`\n*Path:* `live2`",
        f"Stream: cam-7\nDomain: {A}\nPush path: /live2/",
        f"Stream: cam-7\nDomain: {A}\nPath: /live2/cam-7",
        f"\u6d41\u540d\uff1acam-7\n\u57df\u540d\uff1a{A}\n\u8def\u5f84\uff1alive2",
        f'Stream "cam-7" app "live2" vhost "{A}"',
    ],
)
def test_alert_place_is_read_as_it_is_written(text: str) -> None:
    """The domain and the path are read after a name, a label, on the next line, or unlabelled."""
    assert _found(text) == [{"StreamName": "cam-7", "DomainName": A, "AppName": "live2"}]


@pytest.mark.parametrize("sep", ["\n", "\n\n", ", ", "; "])
@pytest.mark.parametrize("first", ["stream", "domain"])
@pytest.mark.parametrize("label", ["{}: {}", "{}={}", '"{}": "{}"', "*{}:* `{}`"])
def test_each_stream_has_its_own_domain_and_path(label: str, first: str, sep: str) -> None:
    """Of several streams with several domains, each has the one that stands with it."""
    names = {"stream": "StreamName", "domain": "DomainName", "app": "AppName"}
    order = ["stream", "domain", "app"] if first == "stream" else ["domain", "app", "stream"]
    blocks = [
        {"stream": "cam-7", "domain": A, "app": "x"},
        {"stream": "cam-8", "domain": B, "app": "y"},
        {"stream": "cam-7", "domain": B, "app": "z"},
    ]
    written = [sep.join(label.format(names[one], block[one]) for one in order) for block in blocks]

    assert _found(sep.join(written)) == [
        {names[one]: block[one] for one in ("domain", "app", "stream")} for block in blocks
    ]


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        (f"Domain: {A}\nStream: s-1\nStream: s-2\nDomain: {B}\nStream: s-3", [A, A, B]),
        (f"Stream: s-1\nStream: s-2\nDomain: {A}\n\nStream: s-3\nDomain: {B}", [A, A, B]),
        # A fallback text that names the streams alone, and the blocks after it.
        (f"s-1, stream s-2 down\nStream: s-1\nDomain: {A}\nStream: s-2\nDomain: {B}", [A, B]),
        (f"Stream: s-1 ({A}/x)\nStream: s-2 ({B}/x)", [A, B]),
        (f"Stream: s-1, domain: {A}\nDomain: {B}, stream: s-2", [A, B]),
        # Not known: between two, or beside several.
        (f"Stream: s-1\nDomain: {A}\nStream: s-2\nDomain: {B}\nStream: s-3", [None, None, None]),
        (f"Domain: {A}\nStream: s-1\nDomain: {B}", [None]),
        (f"Stream: s-1, domain: {A}, domain: {B}", [None]),
        # Neither for pushing, nor an address of a stream.
        ("Stream: s-1 on edge-1.example.com", [None]),
        ("Stream: s-1 on play.example.com/live", [None]),
        (f"Stream: s-1\nContact: ops@{A}", [None]),
        (f"Stream: s-1\nseen by {A}/metrics", [None]),
    ],
)
def test_domain_belongs_to_streams_beside_it_or_is_left(
    text: str, domains: list[str | None]
) -> None:
    """A domain belongs to the streams that it stands with; where that is unclear, it is left."""
    assert [one.get("DomainName") for one in _found(text)] == domains


@pytest.mark.parametrize("path", ["/var/log/nginx", "/api/v1/cam-7", "live2/cam-8", "-", "/"])
def test_path_of_something_else_is_left(path: str) -> None:
    """A path of several parts that does not end with the stream is none of it."""
    assert "AppName" not in _found(f"Stream: cam-7\nPath: {path}")[0]


@pytest.mark.parametrize(
    "text",
    [
        *("Stream: :red_circle: cam-7", "Stream: cam-7:red_circle:", "Stream: cam-7 :fire:"),
        *("Stream: :rotating_light::fire: cam-7:100::+1:", "Stream: :8ball:cam-7"),
        *("Stream: :wave::skin-tone-2: *cam-7*", ":fire: Stream: `cam-7`:fire: stalls"),
        *("Stream\n:red_circle: cam-7", "Stream: :red_circle:\ncam-7", "Stream\ncam-7 :fire:"),
        *(
            "Stream: \U0001f534 cam-7",
            "Stream: \u26a0\ufe0f cam-7 \U0001f534",
            "Stream: \u2705cam-7",
        ),
        *(
            "\u30b9\u30c8\u30ea\u30fc\u30e0\u540d\uff1acam-7",
            "\uc2a4\ud2b8\ub9bc \uc774\ub984: cam-7",
        ),
    ],
)
def test_alert_name_is_read_without_emoji(text: str) -> None:
    """An emoji, by its code or itself, before or after a name is no part of it."""
    assert _found(text) == [{"StreamName": "cam-7"}]


@pytest.mark.parametrize(
    ("text", "params"),
    [
        *(
            (f"task_id: {one}", {"TaskId": one})
            for one in ("-m7Qo_a", "-m7Q", "m7Q-", "_m7Q", "m7_")
        ),
        *((f'"TaskId":"{one}"', {"TaskId": one}) for one in ("-m7Qo_a-", "_m7Q_", "--m7")),
        ("Task ID: `_m7Q_`, failed", {"TaskId": "_m7Q_"}),
        ("Task ID: m7Q.", {"TaskId": "m7Q"}),
        *(
            (f"Stream: {one}", {"StreamName": one})
            for one in ("-cam-7", "cam-7-", "_cam-7", "cam_")
        ),
        *((f'Stream: "{one}"', {"StreamName": one}) for one in ("_cam-7_", "cam-7.", "cam-7:")),
        ("Stream: - cam-7", {"StreamName": "cam-7"}),
        *(
            (f"Stream: {one}", {"StreamName": one})
            for one in ("\u4e3b\u821e\u53f0", "\u821e\u53f0-7")
        ),
        (
            "\u6d41\u540d\u79f0\uff1a\u4e3b\u821e\u53f0\uff0c\u65ad\u6d41",
            {"StreamName": "\u4e3b\u821e\u53f0"},
        ),
        (
            "\u6d41\u540d\u79f0\uff1a\u300c\u4e3b\u821e\u53f0\u300d",
            {"StreamName": "\u4e3b\u821e\u53f0"},
        ),
        ("\u6d41\u540d\u79f0\uff1alobby\u65ad\u6d41", {"StreamName": "lobby"}),
    ],
)
def test_alert_name_keeps_what_belongs_to_it(text: str, params: dict[str, str]) -> None:
    """A name or an id keeps its signs and letters of any script, as the alert writes them."""
    assert _found(text) == [params]


@pytest.mark.parametrize(
    "text",
    [
        # Markup, or the id itself.
        "task_id: _m7Q_",
        "Stream::red_circle: cam-7",
        "Stream: :red_circle:",
        "Stream: ---",
        "Stream: cam-7@ops.example.com",
        # Where the name ends is not known.
        *("\u6d41\u540d\u79f0\uff1a\u4e3b\u821e\u53f0\u65ad\u6d41", "Stream: cam\u821e\u53f0"),
        *("Stream: \u65e0", "Stream: \u65ad\u6d41", "\u6d41\u540d\u79f0\uff1a\u672a\u77e5"),
    ],
)
def test_unclear_alert_name_is_left(text: str) -> None:
    """What may be a name or not fills in nothing."""
    assert _found(text) == []
