"""The chain of records: whatever is changed in it is found, and where."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import trail
from bot.trail import GENESIS, Fact, Record


def chain(count: int) -> list[Record]:
    records, last = [], GENESIS
    for seq in range(1, count + 1):
        fact = Fact("ended", f"op{seq}", {"request_id": f"r{seq}"})
        body = trail.canonical(seq, 1_700_000_000.25 + seq, fact)
        last = trail.digest(last, body)
        records.append(Record(seq, 1_700_000_000.25 + seq, fact.kind, fact.operation, body, last))
    return records


def test_the_canonical_form_and_its_hash_are_these() -> None:
    body = trail.canonical(1, 1_700_000_000.5, Fact("asked", "op1", {"user": "U0ÄLICE", "n": 1}))

    assert body == (
        '{"at":1700000000.5,"facts":{"n":1,"user":"U0\\u00c4LICE"},"kind":"asked",'
        '"operation":"op1","seq":1}'
    )
    assert trail.digest(GENESIS, body) == (
        hashlib.sha256(("0" * 64 + "\n" + body).encode()).hexdigest()
    )


def test_an_untouched_chain_holds() -> None:
    assert trail.verify(iter(chain(20))) == (20, None)
    assert trail.verify(iter([])) == (0, None)


@given(st.integers(0, 9), st.data())
def test_any_changed_character_is_found_where_it_is(place: int, data: st.DataObject) -> None:
    records = chain(10)
    body = records[place].body
    at = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != body[at]))
    records[place] = replace(records[place], body=body[:at] + other + body[at + 1 :])

    _, found = trail.verify(iter(records))

    assert found is not None
    assert found.seq == place + 1


@pytest.mark.parametrize(
    "column", [{"at": 5.0}, {"kind": "denied"}, {"operation": "op9"}, {"hash": "0" * 64}]
)
def test_a_changed_column_is_found(column: dict[str, object]) -> None:
    records = chain(5)
    records[2] = replace(records[2], **column)  # type: ignore[arg-type] # by name

    _, found = trail.verify(iter(records))

    assert found is not None
    assert found.seq == 3


def test_a_missing_record_is_found() -> None:
    records = chain(5)
    del records[2]

    assert trail.verify(iter(records)) == (
        2,
        trail.Break(3, "record 3 is missing; 4 comes next"),
    )


def test_a_record_is_json() -> None:
    assert json.loads(chain(1)[0].body)["seq"] == 1
