"""The declarations, held to the collected facts; what values may be; plain words for every code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog import param_types as kinds
from bot.catalog.error_codes import Repeat, Sort, explain
from bot.catalog.registry import ACTIONS, PRODUCTS, RESOURCE_TYPES, by_api, declaration_errors
from bot.model.actions import Action, Approval, Effect, ParamType, Product, ResourceType
from bot.redact import redact
from tests.support.paths import ROOT

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
QUARTER = kinds.moment(max_days=90)

_FACTS = ROOT.parent / "shared" / "facts"


def facts(name: str) -> dict[str, Any]:
    file = _FACTS / name
    if not file.exists():
        pytest.skip(f"{name} is not beside this checkout")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


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


def test_catalog_drop_suggests_ban() -> None:
    """The drop action suggests a ban to keep the stream off, and has no undo."""
    cut = by_api("DropLiveStream")

    assert "may be back" in cut.afterwards
    assert "/stopstream ban {stream}" in cut.afterwards
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


SORTS = {
    "auth": {Sort.KEY, Sort.OURS},
    "clock": {Sort.CLOCK},
    "permission": {Sort.PERMISSION},
    "account": {Sort.ACCOUNT},
    "quota": {Sort.QUOTA},
    "throttle": {Sort.THROTTLED},
    "server": {Sort.SERVER},
    "notfound": {Sort.ABSENT, Sort.REQUEST},
    "conflict": {Sort.CONFLICT},
    "already_done": {Sort.ALREADY},
    "business": {Sort.REFUSED, Sort.ACCOUNT},
    "dryrun": {Sort.REFUSED},
    "gone": {Sort.GONE},
    "request": {Sort.REQUEST, Sort.REGION, Sort.OURS, Sort.KEY, Sort.ACCOUNT},
}
REPEATS = {"any": Repeat.ANY, "reads": Repeat.READS, None: Repeat.NEVER}


def test_error_codes_have_category_and_explanation() -> None:
    """Every reference error code has a plain explanation, its category and retry scope."""
    for code, known in facts("tencent_errors.json")["codes"].items():
        words = explain(code)
        assert words.means != explain("Nobody.Knows").means, code
        assert words.sort in SORTS[known["category"]], code
        assert words.repeat is REPEATS[known["scope"]], code
        for sentence in (words.means, words.next_step):
            assert sentence[0].isupper(), code
            assert sentence.endswith("."), code
            assert len(sentence) < 240, code
            assert not set("<>*`") & set(sentence), code
            assert redact(sentence) == sentence, code


def test_error_codes_are_more_specific_than_family() -> None:
    """Every reference error code but a generic internal error is explained by itself."""
    families: dict[str, str] = {}
    for code in facts("tencent_errors.json")["codes"]:
        family, _, detail = code.partition(".")
        families.setdefault(family, explain(family).means)
        # An internal error by the name of InternalError says no more than its family.
        if detail not in ("", "InternalError", "SystemError"):
            assert explain(code).means != families[family], code


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_error_codes_of_actions_are_explained(action: Action) -> None:
    """Every error code that an action declares has an explanation and a next step."""
    for code in (*action.errors, *action.already_codes):
        words = explain(code, action)
        family, _, detail = code.partition(".")
        assert words.means != explain("Nobody.Knows").means, code
        if detail not in ("", "InternalError", "SystemError"):
            assert words.means != explain(f"{family}.Brandnew").means, code
            assert words.means != explain(family).means, code
        assert words.next_step.endswith("."), code


def test_error_categories_share_no_explanation() -> None:
    """Error codes of different categories never share an explanation."""
    sorts: dict[str, set[Sort]] = {}
    for code in facts("tencent_errors.json")["codes"]:
        sorts.setdefault(explain(code).means, set()).add(explain(code).sort)

    assert [means for means, of in sorts.items() if len(of) > 1] == []
    assert len({sort.value for sort in Sort}) == len(Sort)


@pytest.mark.parametrize(
    ("code", "sort"),
    [
        ("InternalError.NotPermmitOperat", Sort.PERMISSION),
        ("InternalError.ConfigNotExist", Sort.ABSENT),
        ("ResourceNotFound.StopService", Sort.ACCOUNT),
        ("ResourceNotFound.FreezeService", Sort.ACCOUNT),
        ("ResourceNotFound.ForbidService", Sort.ACCOUNT),
        ("ResourceNotFound.UserDisableService", Sort.ACCOUNT),
        ("ResourceNotFound.UserNotExist", Sort.ACCOUNT),
        ("ResourceUnavailable.StreamNotExist", Sort.ABSENT),
        ("FailedOperation.SlowDown", Sort.THROTTLED),
        ("ResourceInsufficient.RequestRejection", Sort.THROTTLED),
        ("LimitExceeded", Sort.QUOTA),
        ("RequestLimitExceeded", Sort.THROTTLED),
        ("AuthFailure.SignatureExpire", Sort.CLOCK),
        ("AuthFailure.UnauthorizedOperation", Sort.PERMISSION),
        ("UnsupportedRegion", Sort.REGION),
        ("MissingParameter.Region", Sort.REGION),
    ],
)
def test_error_code_category_ignores_misleading_prefix(code: str, sort: Sort) -> None:
    """An error code with a misleading prefix is put in its true category."""
    assert explain(code).sort is sort


def test_error_codes_have_distinct_next_steps() -> None:
    """Each common failure has a next step of its own."""
    steps = [
        explain(code).next_step
        for code in (
            "UnsupportedRegion",
            "AuthFailure.SecretIdNotFound",
            "AuthFailure.SignatureExpire",
            "AuthFailure.SignatureFailure",
            "UnauthorizedOperation",
            "ResourceNotFound.StopService",
            "LimitExceeded",
            "RequestLimitExceeded",
            "InternalError",
        )
    ]

    assert len(set(steps)) == len(steps)
    assert "STOPSTREAM_TENCENT_SITE" in explain("AuthFailure.SecretIdNotFound").next_step
    assert "clock" in explain("AuthFailure.SignatureExpire").means


def test_error_code_unknown_falls_back_on_family() -> None:
    """An unknown error code is explained by its family, and at most reads are retried."""
    assert explain("InternalError.Brandnew").repeat is Repeat.READS
    assert explain("ResourceNotFound.Brandnew").sort is Sort.ABSENT
    assert explain("Brandnew").repeat is Repeat.NEVER
    assert "Brandnew" in explain("InvalidParameter.Brandnew").means
    assert "message below" in explain("Nobody.Knows").next_step
    assert explain("").means != explain("Nobody.Knows").means


@given(st.text(), st.sampled_from(["", "InvalidParameter.", "MissingParameter.", "InternalError."]))
def test_error_code_explanation_has_no_markup(code: str, family: str) -> None:
    """No error code puts markup or excess length into its explanation."""
    words = explain(family + code)

    assert not set("<>*`_&") & set(words.means)
    assert len(words.means) < 240


def test_error_code_is_explained_per_action() -> None:
    """An action can replace the explanation of an error code but keeps its category."""
    words = explain("ResourceNotFound.TaskId", by_api("stopliverecord"))

    assert "record-task" in words.next_step
    assert words.sort is explain("ResourceNotFound.TaskId").sort
    assert words.means != explain("ResourceNotFound.TaskId").means


# --- what a parameter may hold -----------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.text, " stream 1 ", " stream 1 "),
        (kinds.text, "流一", "流一"),
        (kinds.reason, "r" * 2048, "r" * 2048),
        (kinds.hostname, "Push.Example.COM", "push.example.com"),
        (kinds.hostname, "5000.livepush.myqcloud.com.", "5000.livepush.myqcloud.com"),
        (kinds.integer, "-9223372036854775808", -(2**63)),
        (kinds.integer, "9223372036854775807", 2**63 - 1),
        (kinds.whole, "18446744073709551615", 2**64 - 1),
        (kinds.whole, "0", 0),
        (kinds.yes_or_no, "YES", True),
        (kinds.number(1, 600), "600", 600),
        (kinds.number(-1, 1000, "int64"), "-1", -1),
        (kinds.tempo, "0.75", 0.75),
        (kinds.texts(10), "alice, bob", ["alice", "bob"]),
        (kinds.rtmp, "RTMP://a.example.com/live2/key", "RTMP://a.example.com/live2/key"),
        (kinds.address, "https://a.example.com", "https://a.example.com"),
        (kinds.timestamp(max_days=7), "2h", int(NOW) + 7200),
        (kinds.timestamp(max_days=7, back=90), "-2h", int(NOW) - 7200),
        (kinds.timestamp(max_days=7, back=90), "2026-11-20T09:00Z", int(NOW) - 3600),
        (QUARTER, "30m", "2026-11-20T10:30:00Z"),
        (QUARTER, "2h30m", "2026-11-20T12:30:00Z"),
        (QUARTER, "90s", "2026-11-20T10:01:30Z"),
        (QUARTER, "7d", "2026-11-27T10:00:00Z"),
        (QUARTER, "1w", "2026-11-27T10:00:00Z"),
        (QUARTER, "90d", "2027-02-18T10:00:00Z"),
        (QUARTER, "2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
        (QUARTER, "2026-11-27t10:00", "2026-11-27T10:00:00Z"),
        (QUARTER, "2026-11-27T12:00+02:00", "2026-11-27T10:00:00Z"),
    ],
)
def test_param_type_parses_valid_text(kind: ParamType, text: str, value: object) -> None:
    """Each parameter type parses a valid text into a value of its type."""
    read = kind.read(text, NOW)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (kinds.text, "", "empty"),
        (kinds.text, "x" * 1025, "longer than 1024 characters"),
        (kinds.text, "a\nb", "line break"),
        (kinds.text, "a\x00b", "invisible character"),
        (kinds.text, "a\u202eb", "invisible character"),
        (kinds.reason, "é" * 1025, "longer than 2048 bytes"),
        (kinds.reason, "r" * 1500 + "\x1b", "invisible character"),
        (kinds.reason, "\ud800", "invisible character"),
        (kinds.hostname, "rtmp://push.example.com", "without rtmp://"),
        (kinds.hostname, "push.example.com/live", "without rtmp://"),
        (kinds.hostname, "push.example.com:1935", "without a port"),
        (kinds.hostname, "\u212apush.example.com", "xn--"),
        (kinds.hostname, "localhost", ""),
        (kinds.hostname, "-a.example.com", ""),
        (kinds.hostname, "a..example.com", ""),
        (kinds.hostname, "a" * 64 + ".com", ""),
        (kinds.hostname, "", ""),
        (kinds.integer, "9223372036854775808", "out of range"),
        (kinds.integer, "1.0", ""),
        (kinds.integer, "1e9", ""),
        (kinds.integer, "٣", ""),
        (kinds.integer, "5\n", ""),
        (kinds.whole, "-1", "out of range"),
        (kinds.whole, "18446744073709551616", "out of range"),
        (kinds.yes_or_no, "maybe", ""),
        (kinds.number(1, 600), "601", "out of range"),
        (kinds.number(1, 600), "0", "out of range"),
        (kinds.tempo, "3", ""),
        (kinds.tempo, "0.7", ""),
        (kinds.texts(2), "a,b,c", "2 are the most"),
        (kinds.texts(2), "a,,", "empty"),
        (kinds.rtmp, "https://a.example.com/live", ""),
        (kinds.rtmp, "rtmp:///live", ""),
        (kinds.address, "a.example.com/live", ""),
        (kinds.address, "rtmp://a.example.com/live/ s", ""),
        (kinds.timestamp(max_days=7), "8d", "7 days are the most"),
        (kinds.timestamp(max_days=7), "-2h", "in the past"),
        (kinds.timestamp(max_days=7, back=90), "-90d", "90 days ago are the most"),
        (kinds.timestamp(max_days=7, back=90), "--2h", "like 30m"),
        (kinds.timestamp(max_days=7, back=90), "8d", "7 days are the most"),
        (QUARTER, "2026-11-20T09:59:59Z", "in the past"),
        (QUARTER, "2026-11-20T10:00:00Z", "in the past"),
        (QUARTER, "91d", "90 days are the most"),
        (QUARTER, "9999-12-31T23:59-14:00", "90 days are the most"),
        (QUARTER, "0m", "more than nothing"),
        (QUARTER, "٣d", "like 30m"),
        (QUARTER, "soon", "like 30m"),
        (QUARTER, "", "like 30m"),
    ],
)
def test_param_type_refuses_invalid_text(kind: ParamType, text: str, reason: str) -> None:
    """A parameter type refuses an invalid text with the reason."""
    # Without a reason it is empty: nothing of the machine's own words.
    with pytest.raises(ValueError, match=reason or "^$"):
        kind.read(text, NOW)


@given(st.text(max_size=40) | st.from_regex(r"[0-9TZ:.+-]{1,25}|([0-9]{1,6}[smhdw]){1,3}"))
def test_param_type_handles_any_text(text: str) -> None:
    """Any text is parsed or refused with a short ValueError."""
    for kind in (kinds.text, kinds.reason, kinds.hostname, kinds.integer, kinds.whole, QUARTER):
        try:
            kind.read(text, NOW)
        except ValueError as error:
            assert type(error) is ValueError
            assert len(str(error)) < 100
