"""The declarations, held to the collected facts; and plain words for every code."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import ACTIONS, FRESH, by_api
from bot.catalog.codes import Repeat, Sort, explain
from bot.model import Action

_FACTS = Path(__file__).parents[1].parent / "shared" / "facts"


def facts(name: str) -> dict[str, Any]:
    file = _FACTS / name
    if not file.exists():
        pytest.skip(f"{name} is not beside this checkout")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_a_declaration_says_what_the_facts_say(action: Action) -> None:
    known = facts("tencent_actions.json")["actions"][action.api]

    assert action.product.name == known["service"]
    assert action.product.version == known["version"]
    assert {p.api: (p.kind.json, p.required) for p in action.params} == {
        p["name"]: (p["type"], p["required"]) for p in known["params"]
    }
    assert sorted(action.errors) == sorted(known["errors"])
    assert action.per_second == min(rate for rate in known["rate_per_s"].values() if rate)
    assert (action.regions is not None) == known["region"]["required"]
    for site, regions in (action.regions or {}).items():
        if known["region"].get(site):
            assert sorted(regions) == sorted(known["region"][site])
    assert (action.effect.value == "status") == known["read_only"]
    assert bool(action.deprecated) == known.get("deprecated", False)
    if known["blind_retry"] == "no":
        assert not action.repeatable


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_a_declaration_fits_itself(action: Action) -> None:
    names = {param.api for param in action.params}

    assert set(action.touch.key) <= names
    assert action.touch.thing in FRESH
    for other in (action.undo, action.look):
        if other is not None:
            assert by_api(other).touch.thing == action.touch.thing
    for code in (action.touch.absent, *action.touch.refused.values(), *action.words_for):
        assert code is None or code in action.errors
    assert action.does.endswith(".")


def test_no_two_actions_answer_to_the_same_words() -> None:
    spoken = [(action.effect, action.words) for action in ACTIONS]
    words = [param.word for action in ACTIONS for param in action.params]

    assert len(set(spoken)) == len(spoken)
    assert all(word == word.lower() and word.isalnum() for word in words)


def test_every_code_has_plain_words_of_its_own_sort() -> None:
    sorts = {
        "auth": {Sort.KEY, Sort.OURS},
        "clock": {Sort.CLOCK},
        "permission": {Sort.PERMISSION},
        "account": {Sort.ACCOUNT},
        "quota": {Sort.QUOTA},
        "throttle": {Sort.THROTTLED},
        "server": {Sort.SERVER},
        "notfound": {Sort.ABSENT, Sort.REQUEST},
        "conflict": {Sort.CONFLICT},
    }
    repeats = {"any": Repeat.ANY, "reads": Repeat.READS, None: Repeat.NEVER}
    for code, known in facts("tencent_errors.json")["codes"].items():
        words = explain(code)
        assert words.means != explain("Nobody.Knows").means, code
        for sentence in (words.means, words.next_step):
            assert sentence.endswith("."), code
            assert len(sentence) < 240, code
            assert not set("<>*") & set(sentence), code
        if known["category"] in sorts:
            assert words.sort in sorts[known["category"]], code
        assert words.repeat is repeats[known["scope"]], code


def test_an_unknown_code_is_read_by_its_family_and_never_repeated_blindly() -> None:
    assert explain("InternalError.Brandnew").repeat is Repeat.READS
    assert explain("Brandnew").repeat is Repeat.NEVER
    assert "Brandnew" in explain("InvalidParameter.Brandnew").means
    assert "<" not in explain("InvalidParameter.<!channel>").means


def test_an_action_says_what_a_code_means_there() -> None:
    words = explain("ResourceNotFound.TaskId", by_api("stopliverecord"))

    assert "record-task" in words.next_step
