"""Takes stream keys and secrets out of any text before a person, a log or the trail sees it."""

import re

HIDDEN = "[hidden]"

_NAMES = (
    "txsecret|txtime|wssecret|wstime|auth_key|authkey|secret_?key|secret_?id|secret|token|sign"
    "|signature|password|passwd|pwd|streamkey|stream_key|pushkey|key"
)

# A name, what binds it to its value (also percent-encoded, or as JSON has it), and the value.
_PAIR = re.compile(
    rf"""(?<![a-z0-9_])(?P<name>{_NAMES})
    (?P<bind>["']?\s{{0,3}}(?:=|:|%3d)\s{{0,3}}["']?)
    (?P<value>[^\s&"'<>;,|)}}\]]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_BARE = re.compile(r"\bAKID[A-Za-z0-9]{8,}|\bxox[abeprs]-[A-Za-z0-9-]+|\bxapp-[A-Za-z0-9-]+")
_USERINFO = re.compile(r"(?<=://)[^\s/@<>]{1,256}@")


def redact(text: str) -> str:
    """Replace every secret by `[hidden]`, keeping its name; doing it twice changes nothing."""
    text = _PAIR.sub(_hide, text)
    text = _BARE.sub(HIDDEN, text)
    return _USERINFO.sub(HIDDEN + "@", text)


def _hide(found: re.Match[str]) -> str:
    if HIDDEN.startswith(found["value"]):
        return found[0]
    rest = ""
    # A percent-encoded query goes on after %26.
    value = found["value"]
    cut = value.lower().find("%26")
    if cut >= 0:
        rest = redact(value[cut:])
    return found["name"] + found["bind"] + HIDDEN + rest
