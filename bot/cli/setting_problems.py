"""What is wrong with a setting, in words: pydantic's own are of a program, not for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CHANNEL = "an id like C0123456789; in Slack: the channel's name > About, at its end"
_REGION = "a region like ap-guangzhou"

FORMS: Mapping[str, str] = {
    "STOPSTREAM_AUDIT_CHANNEL": _CHANNEL,
    "STOPSTREAM_ALERT_CHANNEL": _CHANNEL,
    "STOPSTREAM_OWNER": "an id like C0123456789 or U0123456789; in Slack: the channel's name > "
    "About, at its end, or Profile > More > Copy member ID",
    "TENCENTCLOUD_REGION": _REGION,
    "TKE_REGION": _REGION,
    "TENCENTCLOUD_ROLE_ARN": "a role like qcs::cam::uin/100000000001:roleName/stopstream; in the "
    "CAM console: Roles, the role's RoleArn",
    "TENCENTCLOUD_ROLE_SESSION_NAME": "2 to 128 letters, digits and _+=,.@- without blanks",
}
"""By setting, what one with a pattern must be."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for the value of a setting whose file cannot be read; no setting takes it.

    Attributes:
        why: What is in the way, without the name of the setting.
    """

    why: str


def subject(error: Any) -> str:
    """Return the name of the variable that cannot be used; of a pair, of the one that is there."""
    if error["loc"]:
        return str(error["loc"][0])
    present = "ID" if "SECRET_KEY" in error["msg"] else "KEY"
    return f"TENCENTCLOUD_SECRET_{present}"


def problem(error: Any) -> str:
    """Return a line for what pydantic refuses, without the value.

    It is not shown: a token may have been pasted into the wrong place.
    """
    name = str(error["loc"][0]) if error["loc"] else ""
    why = _why(name, error)
    return f"{name}: {why}" if name else why


def _why(name: str, error: Any) -> str:
    if isinstance(error["input"], Unreadable):
        return error["input"].why
    match error["type"]:
        case "string_pattern_mismatch":
            return f"is not {FORMS[name]}"
        case "bool_parsing" | "bool_type":
            return "is neither true nor false"
        case "literal_error":
            return f"is not {str(error['ctx']['expected']).replace(chr(39), '')}"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")
