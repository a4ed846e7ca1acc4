"""The declarations of the catalog, held to the facts collected from the API reference."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.catalog.registry import ACTIONS, PRODUCTS, RESOURCE_TYPES, by_api, declaration_errors
from bot.model.actions import Action, Approval, Effect, Product, ResourceType
from bot.redact import redact
from tests.support.reference_facts import facts

SIBLINGS = 20
"""Requests per second of TRTC's other APIs, for the one whose own limit is not published."""
STRICTER = {"StartStreamIngest": {"StreamUrl"}, "DescribeWebRecord": {"TaskId"}}
"""What the API takes another parameter for: one that is out of use, one of two ways."""


def only(param: dict[str, Any]) -> Any:
    return param.get("only")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_catalog_action_matches_reference(action: Action) -> None:
    """Each action is declared as in the reference data of the Tencent Cloud API."""
    known = facts("tencent_actions.json")["actions"][action.api]

    assert action.product.name == known["service"]
    assert action.product.version == known["version"]
    assert {p.api: (p.type.json, p.required, p.only) for p in action.params} == {
        p["name"]: (p["type"], p["required"] or p["name"] in STRICTER.get(action.api, ()), only(p))
        for p in known["params"]
        if not p.get("deprecated")
    }
    assert sorted(action.errors) == sorted(known["errors"])
    rates = [rate for rate in known["rate_per_s"].values() if rate]
    assert action.per_second == min(rates, default=SIBLINGS)
    assert ([action.only] if action.only else ["mainland", "intl"]) == known["sites"]
    assert (action.regions is not None) == known["region"]["required"]
    for site, regions in (action.regions or {}).items():
        if known["region"].get(site):
            assert sorted(regions) == sorted(known["region"][site])
    assert (action.effect.value == "status") == known["read_only"]
    assert bool(action.deprecated) == known.get("deprecated", False)
    if known["blind_retry"] == "no":
        assert not action.repeatable
    for param in known["params"]:
        declared = action.param(param["name"])
        if param.get("default") == "live":
            assert declared is not None
            assert declared.default == "live"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.name)
def test_catalog_product_matches_reference_hosts(product: Product) -> None:
    """Each product has the version and the hosts of the reference data."""
    known = facts("tencent_actions.json")["services"][product.name]

    assert product.version == known["version"]
    assert product.host("mainland") == known["endpoints"]["mainland"]
    assert product.host("intl") == known["endpoints"]["intl"]
    assert product.host() == product.host(product.site)


@pytest.mark.parametrize(
    ("api", "site"),
    [
        ("DropLiveStream", "mainland"),
        ("StopStreamIngest", "intl"),
        ("StopPublishStream", "mainland"),
    ],
)
def test_catalog_product_uses_documented_site(api: str, site: str) -> None:
    """Each product is called on the site that its documentation names."""
    assert by_api(api).product.site == site


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_catalog_effect_spec_is_complete(action: Action) -> None:
    """Each effect spec is complete and names only error codes that its action declares."""
    touch = action.effect_spec

    assert (touch.new_state is None) == (action.effect is Effect.READ)
    reads = bool(touch.state_field or touch.counts or touch.lists)
    assert reads or action.effect is not Effect.READ
    for code in (touch.absent, *action.emulation.refused.values(), *action.error_notes):
        assert code is None or code in action.errors


def test_catalog_resource_states_are_distinct() -> None:
    """The states of a resource type are distinct, and its initial state is not an end."""
    for subject in RESOURCE_TYPES.values():
        assert len(set(subject.states)) == len(subject.states)
        assert set(subject.gone) <= set(subject.states[1:])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_catalog_undo_and_status_share_resource_type(action: Action) -> None:
    """The undo action and the status read of an action concern the same resource type."""
    for other in (action.undo, action.status_read):
        if other is not None:
            assert by_api(other).effect_spec.resource_type == action.effect_spec.resource_type
    if action.status_read is not None:
        assert by_api(action.status_read).effect is Effect.READ


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_catalog_texts_are_plain(action: Action) -> None:
    """The texts of an action have no markup, nothing to redact and fillable placeholders."""
    said = [action.does, action.afterwards, action.deprecated, *(p.help for p in action.params)]
    said += [sentence for words in action.error_notes.values() for sentence in words]

    assert action.does.endswith(".")
    assert all(not set("<>*") & set(sentence) for sentence in said)
    assert all(redact(sentence) == sentence for sentence in said), "nothing of it is hidden"
    # Whatever the sentence leaves open can be filled in.
    action.afterwards.format(**{param.word: "x" for param in action.params})


def test_catalog_drop_says_that_it_does_not_last() -> None:
    """The drop action says that the encoder may be back, and has no undo."""
    cut = by_api("DropLiveStream")

    assert cut.impact == "The encoder may reconnect."
    assert cut.undo is None, "resuming lifts a ban, and there is none"
    assert by_api("ForbidLiveStream").undo == "ResumeLiveStream"
    assert "name alone" in by_api("ForbidLiveStream").does


def test_catalog_start_is_not_repeatable() -> None:
    """Starting a publish stream is not repeatable, and its arguments are secret."""
    start = by_api("startpublishstream")

    assert not start.repeatable
    assert [param.api for param in start.params if param.secret] == ["PublishStreamArgs"]


def test_catalog_secret_parameters_are_complete() -> None:
    """Exactly the parameters that can contain a key are declared secret."""
    secret = {(action.api, p.api) for action in ACTIONS for p in action.params if p.secret}

    assert secret == {
        ("StartPublishStream", "PublishStreamArgs"),
        ("StartPublishStreamWithURL", "PublishStreamURL"),
        ("StartStreamIngest", "StreamUrl"),
        ("StartStreamIngest", "UserSig"),
        ("StartStreamIngest", "PrivateMapKey"),
        ("UpdateStreamIngest", "StreamUrl"),
    }


def test_catalog_domain_actions_require_confirmation() -> None:
    """Domain actions require confirmation and have a status read and an impact read."""
    for api in ("ForbidLiveDomain", "EnableLiveDomain"):
        action = by_api(api)
        assert action.minimum_approval is Approval.CONFIRM
        assert action.status_read == "DescribeLiveDomain"
        assert action.impact_reads == ("DescribeLiveStreamOnlineList",)
    assert by_api("DescribeLiveStreamOnlineList").effect_spec.read_state({"TotalNum": 3}) == "3"
    domain = by_api("DescribeLiveDomain").effect_spec
    assert domain.read_state({"DomainInfo": {"Status": 0}}) == "disabled"
    assert domain.read_state({"DomainInfo": {}}) == domain.read_state({}) == ""


def test_catalog_undo_accepts_created_task_id() -> None:
    """A start that creates a task is not repeatable and is undone by its task ID."""
    for api in ("StartStreamIngest", "CreateRecordTask"):
        action = by_api(api)
        assert not action.repeatable
        assert action.effect_spec.creates == "TaskId"
        assert by_api(action.undo or "").param("TaskId") is not None


def test_catalog_already_done_codes_are_declared() -> None:
    """Ended tasks and rooms have error codes for already done, and a pause has none."""
    assert not by_api("UpdateStreamIngest").already_codes
    assert by_api("StopWebRecord").already_codes == {"FailedOperation.TaskNotExist"}
    assert by_api("DismissRoom").already_codes == {"FailedOperation.RoomNotExist"}


def test_catalog_lookup_ignores_case() -> None:
    """Actions are found in any letter case, and an unknown name raises KeyError."""
    assert by_api("DROPLIVESTREAM") is by_api("droplivestream")
    with pytest.raises(KeyError):
        by_api("Nothing")


def _changed() -> Iterator[tuple[Action, str]]:
    cut = by_api("DropLiveStream")
    yield replace(cut, api="Other"), "stop live"
    yield replace(cut, words="other"), "declared 2 times"
    yield replace(cut, api="Other", words="other", undo="Nothing"), "no Nothing"
    yield replace(cut, api="Other", words="other", status_read="StopRecordTask"), "needs parameters"
    yield replace(cut, api="Other", words="other", params=cut.params[:1]), "is no parameter"
    yield replace(cut, api="Other", words="other", params=cut.params * 2), "one name"
    yield replace(cut, api="Other", words="other", regions={}), "names none"
    yield replace(cut, api="Other", words="other", impact_reads=("Nothing",)), "no Nothing"
    gone = replace(cut.effect_spec, new_state="gone")
    yield replace(cut, api="Other", words="other", effect_spec=gone), "never gone"
    other = replace(cut.effect_spec, resource_type=ResourceType("stream", ("inactive",)))
    yield replace(cut, api="Other", words="other", effect_spec=other), "two sorts of stream"


@pytest.mark.parametrize(("action", "said"), list(_changed()), ids=lambda x: getattr(x, "api", x))
def test_catalog_check_names_contradiction(action: Action, said: str) -> None:
    """The catalog has no mistakes, and a contradictory declaration is named."""
    assert not list(declaration_errors(ACTIONS))
    assert any(said in mistake for mistake in declaration_errors((*ACTIONS, action)))


def test_catalog_words_are_unique() -> None:
    """No two actions share their verb and words, and parameter words are lower case."""
    spoken = [(action.effect, action.words) for action in ACTIONS]
    words = [param.word for action in ACTIONS for param in action.params]

    assert len(set(spoken)) == len(spoken)
    assert all(word == word.lower() and word.isalnum() for word in words)
