"""`stopstream audit statement`: complete JSON for a ban, or one sentence on what is missing."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.audit.hash_chain import Fact
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError
from tests.support.audit_terminal import run
from tests.support.stored_operations import operation as stored

DSA = """
    dsa:
      decision_ground: DECISION_GROUND_ILLEGAL_CONTENT
      illegal_content_legal_ground: Directive 2001/29/EC
      illegal_content_explanation: It shows a match without the rights to it.
      category: STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS
      content_type: [CONTENT_TYPE_VIDEO]
      source_type: SOURCE_TRUSTED_FLAGGER
      automated_detection: "No"
      territorial_scope: [DE, FR]
"""
POLICY = "roles: {}\nreasons:\n  copyright:\n    text: A rights holder has asked for it"


def ended(operation: str, **more: Any) -> Fact:
    facts = {"api": "ForbidLiveStream", "state": "accepted", "before": "live", "params": {}}
    facts |= {"reason_code": "copyright", "reason_text": "A rights holder has asked for it"}
    return Fact("ended", operation, facts | {"case": "INC-42"} | more)


@pytest.fixture
async def trail(tmp_path: Path) -> Settings:
    """A trail with one ban, a drop of the same case, and a ban whose stream was not live."""
    policy = tmp_path / "policy.yml"
    await asyncio.to_thread(policy.write_text, POLICY + DSA)
    settings = read_settings(
        STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'stopstream.db'}",
        STOPSTREAM_POLICY=str(policy),
    )
    store = open_store(settings, may_create=True)
    for fact in (
        ended("ban1"),
        ended("drop1", api="DropLiveStream"),
        ended("ban2", case="INC-7", before="not live", reason_code="gone"),
        ended("ban3", case="INC-8"),
        ended("ban4", case="INC-8"),
    ):
        case = str(fact.facts["case"])
        one = replace(stored(), id=fact.operation, key=fact.operation, case=case)
        await store.operations.add(one, {"case": case})
        await store.audit_log.record(fact)
    await store.close()
    return settings


async def test_statement_of_a_case_is_printed(
    trail: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The only ban of a case has its statement on standard output."""
    assert await run(trail, "statement", "INC-42") == 0
    found = json.loads(capsys.readouterr().out)

    assert found["puid"] == "ban1"
    assert found["territorial_scope"] == ["DE", "FR"]


async def test_what_is_missing_is_one_sentence(
    trail: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """An incomplete statement is not printed; the sentence says what to add where."""
    policy = trail.policy
    await asyncio.to_thread(policy.write_text, POLICY + DSA.replace("      category", "      #"))
    assert await run(trail, "statement", "ban1") == 1
    first = capsys.readouterr()
    assert await run(trail, "statement", "ban2") == 1
    second = capsys.readouterr()

    assert (first.out, second.out) == ("", "")
    assert "add category to reasons.copyright.dsa in the policy" in first.err
    assert len(first.err.splitlines()) == 1
    assert "come from the reason that was given: reason gone, which the policy lacks" in second.err
    assert "--content-date" in second.err


async def test_case_must_have_one_ban(trail: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a case with several bans one is to be named; what is no ban has no statement."""
    for case in ("INC-8", "drop1", "nothing"):
        assert await run(trail, "statement", case) == 1
    said = capsys.readouterr().err

    assert "INC-8 has 2 bans that went through; name one of ban3, ban4" in said
    assert "drop1 has no ban that went through" in said
    with pytest.raises(ConfigError, match="no day like"):
        await run(trail, "statement", "ban1", "--content-date", "yesterday")


@pytest.mark.parametrize(
    "wrong",
    [
        "decision_ground: ILLEGAL",
        "content_type: []",
        "category: COPYRIGHT",
        "automated_detection: maybe",
        "territorial_scope: [Germany]",
        "illegal: x",
    ],
)
async def test_policy_with_another_value_is_refused(trail: Settings, wrong: str) -> None:
    """A value that the Commission does not know stops the start, with its place."""
    text = f"{POLICY}\n    dsa:\n      {wrong}\n"
    await asyncio.to_thread(trail.policy.write_text, text)

    with pytest.raises(ConfigError, match="reasons"):
        await run(trail, "statement", "ban1")
