"""The domain and the path that a text gives all its names: by an address, or by a host."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.catalog import stream_urls
from bot.commands.decoration import split_names, undecorated
from bot.commands.formatting import quoted
from bot.commands.tokens import Token, is_plain

_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_SERVER = re.compile(rf"({_HOST.pattern})(?::[0-9]+)?(?:/([^/?#]*)/?)?", re.IGNORECASE)


def is_host(word: str) -> bool:
    """Return whether a word is a host name, rather than a name with a point in it."""
    return _HOST.fullmatch(word) is not None


@dataclass(frozen=True, slots=True)
class Places:
    """Where the names of a text are.

    Attributes:
        words: The tokens that may be names, or the addresses of streams.
        domain, app: Of the names that are no addresses; empty if the text tells none.
        is_clear: Whether the text tells one place at most; else no name without its own is sure.
        has_server: Whether an address in the text names no stream.
    """

    words: Sequence[Token]
    domain: str = ""
    app: str = ""
    is_clear: bool = True
    has_server: bool = False

    @property
    def pairs(self) -> str:
        """The pairs to add to a command for a name."""
        domain = f" domain={self.domain}" if self.domain else ""
        return domain + (f" app={quoted(self.app)}" if self.app else "")


def find_places(words: Sequence[Token], named: Mapping[str, str]) -> Places:
    """Return where the names among words are.

    Args:
        named: The domain and the path that are typed as such, by the words for them.
    """
    found: set[tuple[str, str]] = set()
    kept: list[Token] = []
    hosts: list[Token] = []
    is_clear, has_server = True, False
    for token in words:
        server = _server(token)
        if server is not None:
            found.add(server)
            is_clear, has_server = is_clear and all(server), True
        elif not token.quoted and is_host(undecorated(token.value)):
            hosts.append(token)
        else:
            kept.append(token)
            of_urls = [(url.host, url.app) if url.side == "push" else None for url in _urls(token)]
            is_clear = is_clear and None not in of_urls
            found |= {place for place in of_urls if place is not None}
    if not kept and not found:
        return Places(hosts)
    domains = {host for host, _ in found} | {undecorated(one.value).lower() for one in hosts}
    domains |= {named["domain"].lower()} if "domain" in named else set()
    apps = {app for _, app in found} | ({named["app"]} if "app" in named else set())
    return Places(
        kept,
        next(iter(domains), "") if "domain" not in named else "",
        next(iter(apps), "") if "app" not in named else "",
        is_clear and len(domains) <= 1 and len(apps) <= 1,
        has_server,
    )


def _urls(token: Token) -> list[stream_urls.StreamUrl]:
    """Return the streams that the addresses in a token name."""
    if is_plain(token.value) or "/" not in token.value:
        return []
    parts = [token.value] if token.quoted else split_names(undecorated(token.value))
    urls = (stream_urls.find_url(part if token.quoted else undecorated(part)) for part in parts)
    return [url for url in urls if url is not None]


def _server(token: Token) -> tuple[str, str] | None:
    """Return host and path of an address that names no stream; None if a token is none."""
    value = token.value if token.quoted else undecorated(token.value)
    if "://" not in value:
        found = _SERVER.fullmatch(value)
        is_one = found is not None and value != found[1] and not token.quoted
        return (found[1].lower(), found[2] or "") if found is not None and is_one else None
    if _urls(token):
        return None
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    app = parts.path.strip("/")
    # What the query may say of the place, and deeper paths, are not taken for granted.
    return (host, "") if "/" in app or parts.query or parts.fragment else (host, app)
