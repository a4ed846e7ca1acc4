"""The emulated workspace refuses the blocks that Slack refuses."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import block_kit


def test_block_kit_limits_apply_at_their_boundaries() -> None:
    """Blocks at a Block Kit limit are valid, and blocks beyond it are reported."""

    def text(count: int, kind: str = "mrkdwn") -> dict[str, Any]:
        return {"type": kind, "text": "x" * count}

    def section(count: int) -> dict[str, Any]:
        return {"type": "section", "text": text(count)}

    def button(count: int, **more: Any) -> list[dict[str, Any]]:
        element = {"type": "button", "action_id": "a", "text": text(count, "plain_text"), **more}
        return [{"type": "actions", "elements": [element]}]

    fine = [[section(3000)], button(75), [section(1)] * 50, button(1, value="v" * 2000)]
    assert [block_kit.problems(blocks) for blocks in fine] == [[]] * 4
    assert block_kit.problems([section(3001)]) == [
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    assert block_kit.problems([section(1)] * 51) == [
        "no more than 50 items allowed [json-pointer:/blocks]"
    ]
    for wrong in (
        button(76),
        button(1, value="v" * 2001),
        button(1, style="loud"),
        [{"type": "actions", "elements": []}],
        [{"type": "nosuch"}],
        [{"type": "section"}],
        [{"type": "header", "text": text(151, "plain_text")}],
        [{"type": "section", "text": text(1), "block_id": "b"}] * 2,
        "text",
    ):
        assert block_kit.problems(wrong)


def plain(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, **more}


def mrkdwn(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, **more}


def button(action_id: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(), **more}


def actions(*elements: Any, **more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **more}


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(), **more}


def options(count: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [{"text": plain(), "value": str(number), **more} for number in range(count)]


def group(count: int = 1, **more: Any) -> dict[str, Any]:
    return {"label": plain(), "options": options(count), **more}


def select(kind: str = "static_select", **more: Any) -> dict[str, Any]:
    return {"type": kind, "action_id": "s", **more}


CONFIRM = {name: plain() for name in ("title", "text", "confirm", "deny")}


@pytest.mark.parametrize(
    "block",
    [
        section(),
        section(block_id="b", fields=[mrkdwn()], accessory=button(), expand=True),
        section(text=mrkdwn(verbatim=True)),
        section(text=plain(emoji=False)),
        {"type": "header", "text": plain(emoji=True)},
        actions(button("a"), button("b", value="v", url="https://example.com", confirm=CONFIRM)),
        actions(button("a"), {**button(), "action_id": None}, button("b")),
        actions(select(options=options(100), initial_option=options()[0], placeholder=plain())),
        actions(select(option_groups=[group(100)] * 100)),
        actions(select("overflow", options=options(5, url="https://example.com"))),
        actions(select("radio_buttons", options=options(10, text=mrkdwn()))),
        {"type": "context", "elements": [mrkdwn(), plain()]},
        {
            "type": "context",
            "elements": [{"type": "image", "image_url": "https://x", "alt_text": "a"}],
        },
        {
            "type": "input",
            "label": plain(),
            "optional": True,
            "element": {"type": "plain_text_input", "initial_value": "", "multiline": True},
        },
    ],
)
def test_block_kit_accepts_what_slack_documents(block: dict[str, Any]) -> None:
    """Blocks with the documented properties are accepted on every surface."""
    assert block_kit.problems([block]) == []
    assert block_kit.problems([block], block_kit.HOME) == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (section(colour="red"), "invalid additional property: colour [json-pointer:/blocks/0]"),
        (
            section(text=mrkdwn(emoji=True)),
            "invalid additional property: emoji [json-pointer:/blocks/0/text]",
        ),
        (
            section(text=plain(verbatim=True)),
            "invalid additional property: verbatim [json-pointer:/blocks/0/text]",
        ),
        (
            actions(button(disabled=True)),
            "invalid additional property: disabled [json-pointer:/blocks/0/elements/0]",
        ),
        (
            actions(button(confirm=CONFIRM | {"icon": "x"})),
            "invalid additional property: icon [json-pointer:/blocks/0/elements/0/confirm]",
        ),
        (
            actions(select(options=options(url="https://example.com"))),
            "invalid additional property: url [json-pointer:/blocks/0/elements/0/options/0]",
        ),
        (
            actions(select("overflow", options=options(), option_groups=[group()])),
            "invalid additional property: option_groups [json-pointer:/blocks/0/elements/0]",
        ),
        (
            actions(button("a"), button("b"), button("a")),
            '`action_id` "a" already exists [json-pointer:/blocks/0/elements/2/action_id]',
        ),
        (
            actions(button("a"), select(options=options(), action_id="a")),
            '`action_id` "a" already exists [json-pointer:/blocks/0/elements/1/action_id]',
        ),
        (
            actions(button(value="")),
            "must be more than 0 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            actions(button(url="")),
            "must be more than 0 characters [json-pointer:/blocks/0/elements/0/url]",
        ),
        (
            actions(button("")),
            "must be more than 0 characters [json-pointer:/blocks/0/elements/0/action_id]",
        ),
        (section(block_id=""), "must be more than 0 characters [json-pointer:/blocks/0/block_id]"),
        (
            section(text=mrkdwn("")),
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            actions(select(options=options(text=mrkdwn()))),
            "must be a plain_text object [json-pointer:/blocks/0/elements/0/options/0/text]",
        ),
        (
            actions(select(option_groups=[])),
            "no fewer than 1 items [json-pointer:/blocks/0/elements/0/option_groups]",
        ),
        (
            actions(select(option_groups=[group()] * 101)),
            "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/option_groups]",
        ),
        (
            actions(select(option_groups=[group(101)])),
            (
                "no more than 100 items allowed"
                " [json-pointer:/blocks/0/elements/0/option_groups/0/options]"
            ),
        ),
        (
            actions(select(option_groups=[group(options=[])])),
            "no fewer than 1 items [json-pointer:/blocks/0/elements/0/option_groups/0/options]",
        ),
        (
            actions(select(option_groups=[group(label=plain("x" * 76))])),
            (
                "must be less than 76 characters"
                " [json-pointer:/blocks/0/elements/0/option_groups/0/label/text]"
            ),
        ),
        (
            actions(select(option_groups=[group(label=mrkdwn())])),
            "must be a plain_text object [json-pointer:/blocks/0/elements/0/option_groups/0/label]",
        ),
        (
            actions(select(option_groups=[group()], options=options())),
            "must define either `options` or `option_groups` [json-pointer:/blocks/0/elements/0]",
        ),
    ],
)
def test_block_kit_names_what_slack_refuses(block: dict[str, Any], problem: str) -> None:
    """An unknown property, an equal id, an empty value and a wrong group are each named."""
    assert block_kit.problems([block]) == [problem]


def test_block_kit_takes_equal_ids_in_different_blocks() -> None:
    """An action_id is unique in its block, not in the message."""
    assert block_kit.problems([actions(button("a")), actions(button("a"))]) == []


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, ""),
        ({"private_metadata": "", "callback_id": "", "notify_on_close": True}, ""),
        ({"colour": "red"}, "invalid additional property: colour [json-pointer:]"),
        ({"id": "V1"}, "invalid additional property: id [json-pointer:]"),
        ({"title": plain("")}, "must be more than 0 characters [json-pointer:/title/text]"),
    ],
)
def test_block_kit_checks_views(more: dict[str, Any], problem: str) -> None:
    """A view has the documented properties and no other."""
    view = {"type": "modal", "title": plain(), "blocks": [section()], **more}

    assert block_kit.view_problems(view) == ([problem] if problem else [])


async def test_messages_with_wrong_blocks_tell_the_problems(client: AsyncWebClient) -> None:
    """The answer to invalid blocks has every problem, as Slack writes them."""
    blocks = [actions(button(value=""))]
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel="C0INC", text="x", blocks=blocks)

    problem = "must be more than 0 characters [json-pointer:/blocks/0/elements/0/value]"
    assert refused.value.response["error"] == "invalid_blocks"
    assert refused.value.response["errors"] == [problem]
    assert refused.value.response["response_metadata"] == {"messages": [f"[ERROR] {problem}"]}
