"""The card of a command in the emulated Slack, and the message that ends it."""

from bot.cli.demo import INCIDENTS, Sandbox
from bot.sandbox.slack.entities import Message


async def card_and_ending(world: Sandbox, after: int = 0) -> tuple[Message, Message]:
    channel = world.slack.channels[INCIDENTS]
    roots = await world.slack.wait_for(lambda: [m for m in channel.roots if m.bot_id][after:])
    thread = await world.slack.wait_for(lambda: channel.thread(roots[0].ts))
    return roots[0], thread[0]
