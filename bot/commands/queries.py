"""What stands after the `?` of a stream's name: its key, and perhaps another domain or path."""

import re
from urllib.parse import unquote

_WORDS = {
    **dict.fromkeys(("vhost", "domain", "domainname", "pushdomain", "host", "hostname"), "domain"),
    **dict.fromkeys(("app", "appname", "application"), "app"),
}
"""How servers and people call a domain or a path there."""


def places_of(query: str) -> dict[str, str]:
    """Return the domain and the path that a query names, by the words for them."""
    found: dict[str, str] = {}
    for pair in re.split("[?&;]", unquote(query)):
        name, _, value = pair.partition("=")
        word = _WORDS.get(name.strip().casefold().replace("_", "").replace("-", ""))
        if word and value:
            found.setdefault(word, value)
    return found
