"""The form with several cloud accounts: which one it offers, and its fields."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.model.actions import Account, Effect
from bot.sandbox.slack import block_kit as blockkit
from bot.storage.store import Store
from handlers.messages import views
from tests.conftest import built
from tests.support.accounts import POLICY, rules
from tests.support.slack_app import opened, submission


def _blocks(view: Mapping[str, Any]) -> dict[str, Any]:
    return {block["block_id"]: block for block in view["blocks"] if "block_id" in block}


def test_form_offers_a_choice_of_accounts_if_several() -> None:
    """The form offers the accounts only if there are several, the channel's own first."""
    place = views.FormPlace(Effect.STOP, "C0EUROPE")
    blocks = _blocks(views.form(place, rules().vocabulary))
    account = blocks[views.ACCOUNT_BLOCK]["element"]

    assert [option["value"] for option in account["options"]] == ["europe", "main"]
    assert account["initial_option"]["value"] == "europe"
    domain = blocks["param:DomainName"]["element"]
    assert domain["initial_value"] == "eu.example.com"
    # Slack would keep the other account's default in a field of the same names.
    other = views.form(views.FormPlace(Effect.STOP, "C0INC"), rules().vocabulary)
    assert _blocks(other)["param:DomainName"]["element"]["action_id"] != domain["action_id"]
    alone = views.form(place, rules("roles: {}\naccounts: {main: {}}").vocabulary)
    assert views.ACCOUNT_BLOCK not in _blocks(alone)


def test_form_fits_slack_limits_with_many_accounts() -> None:
    """The form stays within Slack's limits with 150 accounts and selects one it offers."""
    many = {f"a{n:031}": Account(channels=(f"C{n}",)) for n in range(150)}
    vocabulary = replace(rules().vocabulary, accounts=many)
    for action in vocabulary.actions:
        view = views.form(views.FormPlace(Effect.STOP, "C149"), vocabulary, action.api)
        assert blockkit.view_problems(view) == []
        element = _blocks(view)[views.ACCOUNT_BLOCK]["element"]
        assert element["initial_option"] in element["options"]


async def test_form_fields_follow_the_chosen_account(
    quick_store: Store,
) -> None:
    """Choosing an account updates the form's region, and the operation gets that account."""
    everything = POLICY.replace("[DropLiveStream]", '["*"]')
    async with built(quick_store, policy=everything) as house, opened(house) as workspace:
        form = submission("StopStreamIngest")
        action = {
            "action_id": views.CHOOSE_ACCOUNT,
            "block_id": views.ACCOUNT_BLOCK,
            "type": "static_select",
            "selected_option": {"value": "europe"},
        }
        chosen = {"type": "block_actions", "actions": [action]}
        await workspace.interact(form | chosen | {"view": form["view"] | {"hash": "h1"}})
        sent = submission(StreamName="s1", Case="INC-9")
        entered = {views.CHOOSE_ACCOUNT: {"selected_option": {"value": "europe"}}}
        sent["view"]["state"]["values"][views.ACCOUNT_BLOCK] = entered
        assert await workspace.interact(sent) == ""
        await workspace.background.stop(grace=60.0)
        (found,) = await house.service.queries.recent(None)
        (update,) = workspace.slack.asked("views.update")
    view = json.loads(update["view"]) if isinstance(update["view"], str) else update["view"]

    assert (found.account, found.case) == ("europe", "INC-9")
    region = _blocks(view)[views.REGION_BLOCK]["element"]
    assert region["initial_option"]["value"] == "ap-singapore"
    assert (
        views.decode_place(view["private_metadata"]) or views.FormPlace(Effect.STOP)
    ).account == ("europe")
