"""The statement of reasons of a ban has the Commission's fields, and nothing that nobody said."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.hash_chain import Fact, Record, canonical
from bot.operations.dsa_statement import FACTS_MOST, Ban, ban_of, statement_of
from bot.policy.dsa import DsaSettings
from tests.support.paths import ROOT

AT = 1_800_000_000.0
"""2027-01-15 08:00:00 UTC."""

FULL = {
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
    "illegal_content_legal_ground": "Directive 2001/29/EC",
    "illegal_content_explanation": "It shows a match without the rights to it.",
    "category": "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    "content_type": ["CONTENT_TYPE_VIDEO"],
    "source_type": "SOURCE_TRUSTED_FLAGGER",
    "automated_detection": "No",
    "territorial_scope": ["DE", "FR"],
}
DSA = DsaSettings.model_validate(FULL)
FACTS: dict[str, Any] = {
    "api": "ForbidLiveStream",
    "state": "accepted",
    "user": "U0ALICE",
    "before": "live",
    "params": {"StreamName": "secret-name", "ResumeTime": "2027-01-15T08:30:00Z"},
    "reason_code": "copyright",
    "reason_text": "A rights holder has asked for it",
}
BAN = Ban("op1", FACTS, AT)

PUBLISHED: dict[str, tuple[type, str]] = {
    "decision_ground": (str, r"DECISION_GROUND_(ILLEGAL|INCOMPATIBLE)_CONTENT"),
    "decision_facts": (str, rf"(?s).{{1,{FACTS_MOST}}}"),
    "content_type": (list, r"CONTENT_TYPE_[A-Z_]+"),
    "category": (str, r"STATEMENT_CATEGORY_[A-Z_]+"),
    "content_date": (str, r"\d{4}-\d\d-\d\d"),
    "application_date": (str, r"\d{4}-\d\d-\d\d"),
    "source_type": (str, r"SOURCE_(ARTICLE_16|TRUSTED_FLAGGER|TYPE_OTHER_NOTIFICATION|VOLUNTARY)"),
    "automated_detection": (str, r"Yes|No"),
    "automated_decision": (str, r"AUTOMATED_DECISION_(FULLY|PARTIALLY|NOT_AUTOMATED)"),
    "puid": (str, r"[A-Za-z0-9-]{1,500}"),
    "decision_visibility": (list, r"DECISION_VISIBILITY_[A-Z_]+"),
    "territorial_scope": (list, r"[A-Z]{2}"),
}
"""The published fields that must be there, with their type and what each value may be."""

OF_GROUND = {
    "DECISION_GROUND_ILLEGAL_CONTENT": (
        "illegal_content_legal_ground",
        "illegal_content_explanation",
    ),
    "DECISION_GROUND_INCOMPATIBLE_CONTENT": (
        "incompatible_content_ground",
        "incompatible_content_explanation",
    ),
}


def check(fields: Any) -> None:
    """Hold a complete statement to the published fields."""
    for name, (kind, values) in PUBLISHED.items():
        assert isinstance(fields[name], kind), name
        for value in fields[name] if kind is list else [fields[name]]:
            assert re.fullmatch(values, value), (name, value)
    grounds = set(OF_GROUND[fields["decision_ground"]])
    assert grounds <= fields.keys()
    assert fields.keys() <= PUBLISHED.keys() | grounds | {"end_date_visibility_restriction"}
    assert json.loads(json.dumps(fields)) == fields


def test_full_reason_gives_the_whole_statement() -> None:
    """What the trail and the reason say together is complete, and each value is one of theirs."""
    made = statement_of(BAN, DSA)

    assert made.missing == ()
    check(made.fields)
    assert made.fields["content_date"] == made.fields["application_date"] == "2027-01-15"
    assert made.fields["end_date_visibility_restriction"] == "2027-01-15"
    assert made.fields["decision_facts"] == (
        "The live stream was banned at 2027-01-15 08:00:00 UTC, until 2027-01-15 08:30:00 UTC: "
        "a moderator asked for it. It was live until then. "
        "Reason: A rights holder has asked for it"
    )


def test_statement_names_no_person_and_no_stream() -> None:
    """The Commission's database is public, so neither a user nor a stream is in it."""
    text = json.dumps(dict(statement_of(BAN, DSA).fields))

    assert "U0ALICE" not in text
    assert "secret-name" not in text


@given(st.sets(st.sampled_from(sorted(FULL))), st.sampled_from(["live", "not live", "", None]))
def test_what_nobody_said_is_missing(left_out: set[str], before: str | None) -> None:
    """Each field that neither the reason nor the trail tells is named, and none is made up."""
    said = {name: value for name, value in FULL.items() if name not in left_out}
    ban = replace(BAN, facts={**FACTS, "before": before})
    made = statement_of(ban, DsaSettings.model_validate(said))
    due = set(left_out)
    if "decision_ground" in left_out:
        due -= set(OF_GROUND["DECISION_GROUND_ILLEGAL_CONTENT"])
    if before != "live":
        due |= {"content_date"}

    assert set(made.missing) == due
    assert not due & made.fields.keys()
    assert {name: made.fields[name] for name in said if name in made.fields}.items() <= FULL.items()
    if not due:
        check(made.fields)


@given(st.text(max_size=9000), st.integers(0, 50), st.booleans())
def test_decision_facts_fit(text: str, approvers: int, alerted: bool) -> None:
    """However long the reason is, the facts have 5,000 characters at most."""
    more = {"reason_text": text, "approved_by": ["U0BOB"] * approvers, "alert": "a" * alerted}
    made = statement_of(replace(BAN, facts=FACTS | more), DSA)

    assert 0 < len(str(made.fields["decision_facts"])) <= FACTS_MOST
    assert made.fields["automated_detection"] == ("Yes" if alerted else "No")


def test_other_ground_wants_its_own_fields() -> None:
    """For the terms, the clause is due and the law is left out."""
    terms = FULL | {"decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT"}
    made = statement_of(BAN, DsaSettings.model_validate(terms))

    assert made.missing == ("incompatible_content_ground", "incompatible_content_explanation")
    assert "illegal_content_legal_ground" not in made.fields


def test_ban_without_a_time_ends_as_the_cloud_says() -> None:
    """A ban without a time of its own ends after Tencent's seven days."""
    made = statement_of(replace(BAN, facts={**FACTS, "params": {}}), DSA, "2026-12-31")

    assert made.fields["end_date_visibility_restriction"] == "2027-01-22"
    assert made.fields["content_date"] == "2026-12-31"


@pytest.mark.parametrize(
    "more", [{"api": "DropLiveStream"}, {"state": "failed"}, {"state": "unknown"}]
)
def test_only_a_ban_that_went_through_has_a_statement(more: dict[str, str]) -> None:
    """Neither another action nor a ban that may not have run is a decision to be stated."""
    for facts, expected in ((FACTS, True), (FACTS | more, False)):
        body = canonical(7, AT, Fact("ended", "op1", facts))
        found = ban_of([Record(7, AT, "ended", "op1", body, "0" * 64)])
        assert (found is not None) == expected


def test_published_fields_are_those_of_the_reference() -> None:
    """The fields that are checked here are those that the reference lists, each one of them."""
    file = ROOT.parent / "shared" / "facts" / "CALLBACKS.md"
    if not file.exists():
        pytest.skip("CALLBACKS.md is not beside this checkout")
    (line,) = [one for one in file.read_text().splitlines() if one.startswith("DSA statement")]
    line = line.replace("decision_visibility, _monetary, _provision, _account", "")
    named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b|\b(?:category|puid)\b", line))

    assert named | {"decision_visibility"} == PUBLISHED.keys()
