"""The statement of reasons for a ban, filled from its records and from the policy; pure.

Nothing in it is made up: what neither tells is named as missing. It names no person and no stream,
because the Commission's database is public.

Source: https://transparency.dsa.ec.europa.eu/page/api-documentation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.audit.hash_chain import Record
from bot.catalog.registry import by_api
from bot.model.actions import Json
from bot.model.operations import LiveBefore, State
from bot.policy.dsa import DsaSettings
from bot.redact import redact
from bot.times import TO_SECOND, format_utc, parse_instant

BAN = "ForbidLiveStream"
"""The action whose statement this is."""

FACTS_MOST = 5000
"""Characters of `decision_facts`."""

_DONE = (State.ACCEPTED.value, State.ALREADY.value)
_ALWAYS = (
    "decision_ground",
    "category",
    "content_type",
    "content_date",
    "source_type",
    "automated_detection",
    "territorial_scope",
)
_OF_GROUND: Mapping[object, tuple[str, str]] = {
    "DECISION_GROUND_ILLEGAL_CONTENT": (
        "illegal_content_legal_ground",
        "illegal_content_explanation",
    ),
    "DECISION_GROUND_INCOMPATIBLE_CONTENT": (
        "incompatible_content_ground",
        "incompatible_content_explanation",
    ),
}
"""By ground, what must be said of it."""

FROM_POLICY = frozenset(DsaSettings.model_fields)
"""Fields that the reason of the policy can give."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of reasons.

    Attributes:
        fields: By the Commission's names.
        missing: The names of those that must be there and that nothing tells.
    """

    fields: Mapping[str, Json]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban that went through, as its records tell.

    Attributes:
        facts: The last value of each fact of the operation.
        at: When Tencent Cloud had taken it, epoch seconds.
    """

    operation: str
    facts: Mapping[str, Any]
    at: float

    @property
    def reason_code(self) -> str:
        """The policy's reason that was given, or empty."""
        return str(self.facts.get("reason_code", ""))


def ban_of(records: Sequence[Record]) -> Ban | None:
    """Return the ban that the records of an operation tell of; None if there is none."""
    ended = next((one for one in records if one.kind == "ended"), None)
    if ended is None:
        return None
    facts = ended.facts
    if facts.get("api") != BAN or facts.get("state") not in _DONE:
        return None
    return Ban(ended.operation, facts, ended.at)


def statement_of(ban: Ban, dsa: DsaSettings | None, content_date: str = "") -> Statement:
    """Return the statement of reasons for a ban.

    Args:
        dsa: What the policy's reason says.
        content_date: The day of the content, where somebody knows it better than the trail.
    """
    known = _of_policy(dsa) | _of_trail(ban)
    if content_date:
        known["content_date"] = content_date
    due = [*_ALWAYS, *_OF_GROUND.get(known.get("decision_ground"), ())]
    others = {name for pair in _OF_GROUND.values() for name in pair} - set(due)
    fields = {name: value for name, value in known.items() if name not in others}
    return Statement(fields, tuple(name for name in due if name not in fields))


def _of_policy(dsa: DsaSettings | None) -> dict[str, Json]:
    if dsa is None:
        return {}
    found: dict[str, Json] = dsa.model_dump(mode="json", exclude_none=True)
    return found


def _of_trail(ban: Ban) -> dict[str, Json]:
    """Return what the records tell: somebody asked, so the decision was not automated."""
    found: dict[str, Json] = {
        "puid": ban.operation,
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
        "decision_facts": _decision_facts(ban),
        "application_date": _day(ban.at),
        "end_date_visibility_restriction": _day(_ends(ban)),
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
    }
    if ban.facts.get("before") == LiveBefore.LIVE.value:
        # It was live when the ban was sent.
        found["content_date"] = _day(ban.at)
    if ban.facts.get("alert"):
        found["automated_detection"] = "Yes"
    return found


def _decision_facts(ban: Ban) -> str:
    """Return what happened and why, without names of people and of the stream."""
    asked = "a moderator asked for it"
    if ban.facts.get("alert"):
        asked = "a moderator asked for it after an alert of the monitoring had named it"
    approvers = len(ban.facts.get("approved_by") or ())
    agreed = f", and {approvers} more agreed" if approvers else ""
    live = {
        LiveBefore.LIVE.value: "It was live until then. ",
        LiveBefore.NOT_LIVE.value: "It was not live at that moment. ",
    }.get(str(ban.facts.get("before")), "")
    text = redact(str(ban.facts.get("reason_text", "")), FACTS_MOST - 1000)
    why = f"Reason: {text}" if text else ""
    return (
        f"The live stream was banned at {format_utc(ban.at, TO_SECOND)} UTC, until "
        f"{format_utc(_ends(ban), TO_SECOND)} UTC: {asked}{agreed}. {live}{why}"
    ).strip()[:FACTS_MOST]


def _ends(ban: Ban) -> float:
    """Return when the ban ends by itself, epoch seconds; Tencent's default where it has no time."""
    name, left_out = by_api(BAN).expiry or ("", 0.0)
    given = (ban.facts.get("params") or {}).get(name)
    found = parse_instant(given) if isinstance(given, str) else None
    return found if found is not None else ban.at + left_out


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
