"""Forms and the home tab are valid views, with defaults and without secrets."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS, by_api
from bot.model.actions import Effect
from bot.model.people import Person
from bot.operations.results import Permissions
from bot.sandbox.slack import block_kit as blockkit
from handlers.messages import (
    home_view,
    views,
)
from handlers.messages.stream_picker import LIVE_BLOCK
from tests.unit.messages.samples import DROP, OPERATION, OURS, PERMISSIONS, VOCABULARY, texts


@pytest.mark.parametrize("verb", list(Effect))
@pytest.mark.parametrize("api", ["", *(action.api for action in ACTIONS)])
def test_form_view_is_valid_for_slack(verb: Effect, api: str) -> None:
    """Every form is a valid view, and asks for a channel only if it has none."""
    for channel in ("", "C0INC"):
        view = views.form(views.FormPlace(verb, channel, "1.5"), VOCABULARY, api)

        assert blockkit.view_problems(view) == []
        blocks = {block.get("block_id") for block in view["blocks"]}
        assert (views.CHANNEL_BLOCK in blocks) == (not channel)


def test_form_view_prefills_defaults() -> None:
    """A form has a field for each parameter and prefills the defaults."""
    view = views.form(views.FormPlace(Effect.STOP, "C0INC"), VOCABULARY, "DropLiveStream")
    fields = {block.get("block_id"): block for block in view["blocks"]}

    assert {views.param_block(p.api) for p in DROP.params} <= set(fields)
    domain = fields["param:DomainName"]
    assert domain["element"]["initial_value"] == "push.example.com"
    assert domain["optional"] is True
    assert fields["param:StreamName"]["optional"] is True, "it may be picked instead"
    assert fields[LIVE_BLOCK]["optional"] is True
    assert fields["param:AppName"]["element"]["initial_value"] == "live"


def test_form_view_limits_field_lengths() -> None:
    """A field has the maximum length of its type, and no default that exceeds it."""
    long = {"live": {"DomainName": "d" * 300}}
    place = views.FormPlace(Effect.STOP, "C0INC")
    view = views.form(place, replace(VOCABULARY, defaults=long), "ForbidLiveStream")
    fields = {block.get("block_id"): block.get("element", {}) for block in view["blocks"]}

    lengths = {name: fields[f"param:{name}"]["max_length"] for name in ("DomainName", "StreamName")}
    assert lengths == {"DomainName": 256, "StreamName": 1024}
    assert fields["param:Reason"]["max_length"] == 2048
    assert "initial_value" not in fields["param:DomainName"]


def test_form_view_prefills_domain_alias_but_no_secret() -> None:
    """A form prefills a domain under its alias, but never a secret default."""
    secret = {"car-url": {"PublishStreamURL": "rtmp://a.example.com/live2/5ECRE7"}}
    vocabulary = replace(VOCABULARY, defaults={**VOCABULARY.defaults, **secret})
    place = views.FormPlace(Effect.START, "C0INC")

    pad = json.dumps(views.form(place, vocabulary, "StartLivePadStream"))
    assert '"initial_value": "push.example.com"' in pad
    push = json.dumps(views.form(place, vocabulary, "StartPublishStreamWithURL"))
    assert "5ECRE7" not in push
    assert '"optional": true' in push


def test_form_view_offers_regions_of_site() -> None:
    """A form offers the regions of its site and preselects the default."""
    view = views.form(views.FormPlace(Effect.STOP, "C0INC"), VOCABULARY, "StopStreamIngest")
    (region,) = (b for b in view["blocks"] if b.get("block_id") == views.REGION_BLOCK)

    offered = {option["value"] for option in region["element"]["options"]}
    assert offered == set((by_api("StopStreamIngest").regions or {})["intl"])
    assert region["element"]["initial_option"]["value"] == "ap-singapore"


@given(
    st.builds(views.FormPlace, st.sampled_from(Effect), st.text(max_size=9), st.text(max_size=9))
)
def test_form_metadata_round_trips(place: views.FormPlace) -> None:
    """The metadata of a form is unpacked to the place that was packed."""
    assert views.decode_place(views.encode_place(place)) == place


@pytest.mark.parametrize(
    "metadata", ["", "{", "[]", '["stop"]', '["x","",""]', '["stop",1,2]', "1"]
)
def test_form_metadata_rejects_forged_value(metadata: str) -> None:
    """Forged form metadata is unpacked to None."""
    assert views.decode_place(metadata) is None


def test_home_tab_view_is_valid_for_slack() -> None:
    """The fullest and the emptiest home tab are valid views without untrusted markup."""
    standing = Permissions(Person("U0ALICE", "T0HOME"), ("oncall",) * 50, PERMISSIONS * 10)
    long = replace(OPERATION, request_id="x" * 5000, params={"StreamName": "&" * 5000})

    for view in (
        home_view.home(standing, [long] * 50),
        home_view.home(None, [], trouble="x" * 5000),
    ):
        assert blockkit.view_problems(view) == []
        for text in texts(view):
            assert "<" not in OURS.sub("", text)


def test_form_says_what_its_submission_does() -> None:
    """The button of every form fits, and names what it does; the actions have plain names."""
    for action in VOCABULARY.actions:
        view = views.form(views.FormPlace(action.effect, "C0INC"), VOCABULARY, action.api)
        label = view["submit"]["text"]
        assert len(label) <= 24
        assert "…" not in label
    stop = views.form(views.FormPlace(Effect.STOP, "C0INC"), VOCABULARY)
    assert stop["submit"]["text"] == "Stop stream"
    names = [action.plain_name for action in VOCABULARY.actions]
    assert len(set(names)) == len(names)
    assert "Stop a live stream" in str(stop)
