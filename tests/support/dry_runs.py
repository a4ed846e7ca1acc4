"""Dry runs as the asker reads them."""

from bot.model.commands import Invocation
from bot.model.people import Place
from bot.operations.results import DryRun
from handlers.messages.dry_run import dry_run_reply
from tests.conftest import House
from tests.support.fakes import ALICE


async def dry_run(house: House, text: str) -> str:
    """Ask for a dry run, and return what Slack would show of it."""
    reply = await house.ask(text)
    assert isinstance(reply, DryRun), reply
    asked = Invocation(f"dry-{text}", ALICE, Place("C0INC"), text)
    return dry_run_reply(await house.service.dry_run(asked, reply.command)).text
