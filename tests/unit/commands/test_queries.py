"""A domain or a path after the `?` of a name is never left out without a word."""

import pytest

from bot.errors import ParseError
from tests.support.commands import DOMAIN, command, read

_OTHER = "other.livepush.myqcloud.com"


@pytest.mark.parametrize(
    ("typed", "pairs"),
    [
        *(
            (f"{name}{query}", {"DomainName": _OTHER})
            for name in ("stream1", "stream=stream1", "stream1.")
            for query in (
                f"?vhost={_OTHER}",
                f"?domain={_OTHER}",
                f"?VHost={_OTHER}",
                f"?DomainName={_OTHER}",
                f"?txSecret=5ECRE7&vhost={_OTHER}&txTime=5",
                f"?vhost%3D{_OTHER}",
            )
        ),
        ("stream1?app=app2", {"AppName": "app2"}),
        (f"stream1?vhost={_OTHER}&app=app2", {"DomainName": _OTHER, "AppName": "app2"}),
    ],
)
def test_place_in_the_query_of_a_name_is_asked_about(typed: str, pairs: dict[str, str]) -> None:
    """The stream of another domain or path is a button; none is stopped unasked."""
    with pytest.raises(ParseError) as caught:
        read(f"live {typed}")
    (offer,) = caught.value.commands
    found = command(offer.text, None)
    assert found.target == "stream1"
    assert pairs.items() <= found.params.items()
    assert "5ECRE7" not in offer.text


def test_place_in_the_query_of_a_quoted_key_is_asked_about() -> None:
    """A quoted name from which a key is cut off loses no domain either."""
    with pytest.raises(ParseError, match="a word of its own"):
        read(f'live "stream1?vhost={_OTHER}&txSecret=5ECRE7"')


@pytest.mark.parametrize("query", [f"domain={_OTHER}", f"txSecret=5ECRE7&domain={_OTHER}", "app=b"])
def test_place_in_the_query_of_an_address_is_asked_about(query: str) -> None:
    """What an address says twice in different ways is not chosen from."""
    with pytest.raises(ParseError, match="names one place"):
        read(f"live rtmp://{DOMAIN}/live/stream1?{query}")


@pytest.mark.parametrize(
    "typed",
    [
        *("stream1?txSecret=5ECRE7&txTime=1", "stream1?record=mp4", "stream1?"),
        f"rtmp://{_OTHER}/live/stream1?domain={_OTHER}",
        f"rtmp://a.example.com/live/stream1?vhost={_OTHER}",
    ],
)
def test_other_queries_are_left_out_as_before(typed: str) -> None:
    """A key, and what repeats the address, is left out."""
    assert command(f"live {typed}").target == "stream1"
