"""The policy file in the page: read, checked, saved, explained."""

import re
import time
from pathlib import Path
from typing import Any

from bot.commands.diagnostics import caret
from bot.commands.formatting import format_command
from bot.commands.parser import parse
from bot.errors import ConfigError, ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from bot.model.people import Person
from bot.model.verdicts import Denied
from bot.policy import explanation, matching
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.matching import Context
from bot.sandbox.slack.workspace import Workspace
from handlers.listeners.commands import COMMANDS

_PLACED = re.compile(r"(?s)policy\.yml(?::(\d+))?: (.*)")
_VERBS = ("start", "stop", "status")
_NOT_AN_ACTION = "That is not an action; write for example: live stream1"


class PolicyEditor:
    """The policy file of the demo.

    Args:
        file: The path; the bot reads it, too.
    """

    def __init__(self, file: Path, slack: Workspace) -> None:
        self._file = file
        self._slack = slack
        self._read_at = 0
        self._rules = self._load(file.read_text())
        self.text = ""
        self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed; an invalid one leaves the roles as they were."""
        changed_at = self._file.stat().st_mtime_ns
        if changed_at == self._read_at:
            return
        self._read_at = changed_at
        self.text = self._file.read_text()
        if not self.problems(self.text):
            self._rules = self._load(self.text)

    def save(self, text: str, *, broken_too: bool = False) -> list[dict[str, Any]]:
        """Write the file unless it has problems, and return those."""
        found = self.problems(text)
        if not found or broken_too:
            self._file.write_text(text)
            self.refresh()
        return found

    def problems(self, text: str) -> list[dict[str, Any]]:
        """Return every problem of a text with its line; 0 for none."""
        try:
            self._load(text)
        except ConfigError as error:
            return [_placed(problem) for problem in error.problems]
        return []

    def roles(self, user: str) -> list[str]:
        """Return the roles of a user."""
        return list(matching.roles_of(self._rules.policy, self._context(user, "")))

    def explain(self, text: str, user: str, channel: str, words: str) -> dict[str, Any]:
        """Return which rule of a text allows a command, or why none does.

        Raises:
            KeyError: There is no such user.
        """
        try:
            rules = self._load(text)
        except ConfigError as error:
            return {"problems": [_placed(problem) for problem in error.problems]}
        command, _, rest = words.strip().partition(" ")
        verb = COMMANDS.get(command)
        typed = rest if verb else words.strip()
        if verb is None and command.casefold() not in _VERBS:
            verb = Effect.STOP
        try:
            vocabulary = rules.vocabulary.at(channel)
            wanted = parse(typed, verb=verb, vocabulary=vocabulary, now=time.time())
        except ParseError as error:
            return {"mistake": f"{error.sentence}\n{caret(error)}"}
        if not isinstance(wanted, Command):
            return {"mistake": _NOT_AN_ACTION}
        found = explanation.explain(rules.policy, wanted, self._context(user, channel))
        shown: dict[str, Any] = {"command": format_command(wanted), "lines": list(found.lines)}
        if isinstance(found.verdict, Denied):
            return shown | {"allowed": False, "verdict": found.verdict.reason}
        rule, approval = found.verdict.rule, found.verdict.approval.value
        return shown | {"allowed": True, "verdict": f"{rule}, approval: {approval}"}

    def _context(self, user: str, channel: str) -> Context:
        slack = self._slack
        member, place = slack.users[user], slack.channels.get(channel)
        person = Person(
            member.id,
            member.team_id,
            bot=member.is_bot,
            guest=member.is_restricted or member.is_ultra_restricted,
            deactivated=member.deleted,
            stranger=member.is_stranger,
        )
        return Context(
            person=person,
            home_team=slack.team,
            groups=frozenset(name for name, inside in slack.groups.items() if user in inside),
            channel=channel,
            in_channel=place is not None and slack.bot_user in place.members,
        )

    def _load(self, text: str) -> LoadedPolicy:
        return loader(source="policy.yml", sites={}, region="", now=time.time())(text)


def _placed(problem: str) -> dict[str, Any]:
    found = _PLACED.fullmatch(problem)
    if found is None:
        return {"line": 0, "text": problem}
    return {"line": int(found[1] or 0), "text": found[2]}
