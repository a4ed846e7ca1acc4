"""Alerts and words made to take long: the time grows with the text, not with its square."""

import time
from collections.abc import Callable, Iterator

import pytest

from bot.catalog.stream_urls import only_url_in
from bot.commands.alerts import find_candidates
from bot.policy.domains import named_domains
from bot.policy.schema import Policy

_SHORT, _TIMES = 2_000, 8
_MOST = 3 * _TIMES
"""Linear growth is by `_TIMES`, quadratic by its square: 8 and 64."""


def _alert(text: str) -> None:
    find_candidates({"text": text})


def _domains(text: str) -> None:
    list(named_domains(Policy.model_validate({"targets": {"a": text}}), ""))


def _took(text: str, read: Callable[[str], object] = _alert) -> float:
    """Return the least processor time of several readings, of this thread alone."""
    taken = []
    for _ in range(5):
        before = time.thread_time()
        read(text)
        taken.append(time.thread_time() - before)
    return min(taken)


@pytest.mark.parametrize(
    "piece",
    [
        "streams:",
        "streams: ",
        "streams:a,",
        "streams: a, b\n",
        "stream ids=a ,",
        "streams:*",
        "a,streams:(",
        "StreamName:",
        "StreamName\n",
        "stream 'a",
        "domain=a.",
        "rtmp://",
        *("push.", "push.a/b", "a.push", '"stream": {', "rtmp://a.b/c/ key", "rtmp://a.b/c/ "),
        "<a:",
        *("domain\n", "domain ", "a.push.b/", "push a.push.b/c ", "path: /a", "app\n", "\n \n"),
        *("stream: :a:", "stream: s1 (push.", f"stream: s1 domain: a{'.b' * 9}\n"),
        *("stream: s1, domain: a.push.b\nstream: s1, domain: b.push.b\n", "stream: \u4e3b\n"),
    ],
)
@pytest.mark.parametrize("end", ["", "!", ","])
def test_alert_is_read_in_linear_time(piece: str, end: str) -> None:
    """Eight times the text takes about eight times as long, whatever is repeated."""
    short = piece * (_SHORT // len(piece)) + end
    long = piece * (_SHORT * _TIMES // len(piece)) + end

    assert _took(long) < _MOST * _took(short)


class _Counted(list[dict[str, str]]):
    """Counts how many of its entries are looked at."""

    looked = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        for one in super().__iter__():
            self.looked += 1
            yield one


def test_large_message_is_not_looked_through() -> None:
    """Of a message with 200,000 fields only those are looked at whose text is read."""
    blocks = _Counted([{"type": "section", "text": "some text"}] * 200_000)

    assert find_candidates({"text": "streams: a, b", "blocks": blocks})
    assert blocks.looked < 5_000


@pytest.mark.parametrize("read", [only_url_in, _domains])
@pytest.mark.parametrize("piece", ["a", "a-", "AKID"])
def test_long_word_is_searched_in_linear_time(read: Callable[[str], object], piece: str) -> None:
    """A long word in which an address or a domain is looked for takes linear time."""
    short, long = (piece * (_SHORT * times // len(piece)) for times in (1, _TIMES))

    assert _took(long, read) < _MOST * _took(short, read)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("streams: a, b", ["a", "b"]),
        ("a, streams: b, *c*", ["b", "c"]),
        ("streams: x y, streams: b, c", ["b", "c"]),
        ("streams:streams: a, b", ["a", "b"]),
        ("on streams=`a`,`b`,`c`\nand more", ["a", "b", "c"]),
    ],
)
def test_alert_list_names_streams(text: str, names: list[str]) -> None:
    """A list of names at the end of a line is read as a label before each of them."""
    found = [one.params["StreamName"] for one in find_candidates({"text": text})]
    assert [name for name in found if name in names] == names
