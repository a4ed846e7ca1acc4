"""Error codes: each has a category, plain words and a next step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.error_codes import Repeat, Sort, explain
from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Action
from bot.redact import redact
from tests.support.reference_facts import facts

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
