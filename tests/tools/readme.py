"""Writes the tables of the README: `python -m tests.tools.readme`; a test sees that they hold."""

from argparse import ArgumentParser
from typing import Any

from bot.catalog import builtin as own
from bot.catalog.registry import ACTIONS
from bot.cli.main import build_parser
from bot.cli.settings import Settings
from bot.commands.formatting import example
from bot.model.actions import Action, Effect
from tests.support.paths import ROOT

README = ROOT / "README.md"


def sections() -> dict[str, str]:
    """Give each table by the name of its place."""
    return {
        "commands": _commands(),
        "actions": _actions(),
        "settings": _settings(),
        "terminal": _terminal(),
    }


_AUDIT = (
    "[since=24h] [user=me] [action=ban] [target=stream1] [ending=failed] [case=INC-42] "
    "[account=europe]"
)


def _table(head: str, rows: list[list[str]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _commands() -> str:
    rows = [[f"`{example(action)}`", action.does] for action in ACTIONS]
    rows += [
        ["`/stopstream DropLiveStream StreamName=… DomainName=…`", "Any action by its API name."],
        ["`/stopstream live rtmp://PUSH-HOST/live/stream1?…`", "A push or play URL for STREAM."],
        ["`/stopstream main-stage`", "A target of the policy file."],
        ["`/stopstream` · `/startstream`", "A form."],
        [
            "`/stopstream live stream1 for=30m`",
            "Keep it off that long, by a ban; its end is announced.",
        ],
        ["`/stopstream off`", "What is off and not yet on, and what is held, with its way back."],
        *([f"`{example(action)}`", action.does] for action in own.ACTIONS),
        ["`… case=INC-42`", "With any action: the incident that it belongs to."],
        ["`… account=europe`", "With any action: the cloud account, where there are several."],
        [
            "`/stopstream help [KIND]`",
            "What there is, with examples to paste, and a mark on what you may do here.",
        ],
        ["`/stopstream whoami`", "Your roles, what they allow here, and why not the rest."],
        [
            f"`/stopstream audit {_AUDIT}`",
            "What was asked here or by you; of everyone, if your role says `audit: true`.",
        ],
        ["`@stopstream stop …` · `start …` · `status …`", "The same text, in a thread too."],
    ]
    return _table("type | and", rows)


def _actions() -> str:
    rows = []
    for action in ACTIONS:
        words = f"{'' if action.effect is Effect.STOP else action.effect.value + ' '}{action.words}"
        params = ", ".join(
            f"`{p.word}`{'' if p.required and p.default is None else '?'}" for p in action.params
        )
        again = "yes" if action.repeatable else "no"
        rows.append(
            [action.api, words, params or "–", _regions(action), str(action.per_second), again]
        )
    return _table("API | words | parameters | region | per second | twice is once", rows)


def _regions(action: Action) -> str:
    if action.regions is None:
        return "–"
    both = set(action.regions["mainland"]) & set(action.regions["intl"])
    counts = " · ".join(f"{len(regions)} {site}" for site, regions in action.regions.items())
    return f"needed: {counts}; on both: {', '.join(sorted(both)) or 'none'}"


def _settings() -> str:
    rows = []
    for field in Settings.model_fields.values():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = f"`{default}`" if default not in (None, "", {}, ()) else "–"
        rows.append([f"`{field.alias}`", field.description or "", shown])
    return _table("name | meaning | default", rows)


def _terminal() -> str:
    rows = []
    for parser, what in _subcommands():
        usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
        rows.append([f"`{usage.replace(' [-h]', '')}`", what[:1].upper() + what[1:] + "."])
    return _table("command | does", rows)


def _subcommands() -> list[tuple[ArgumentParser, str]]:
    found: list[tuple[ArgumentParser, str]] = []

    def walk(parser: Any) -> None:
        # argparse tells its subcommands in no public way.
        for group in parser._subparsers._group_actions:  # noqa: SLF001 (see above)
            helps = {choice.dest: choice.help for choice in group._choices_actions}  # noqa: SLF001
            for name, sub in group.choices.items():
                if sub._subparsers:  # noqa: SLF001 (see above)
                    walk(sub)
                else:
                    found.append((sub, helps[name]))

    walk(build_parser())
    return found


def written(text: str) -> str:
    """Put every table into its place."""
    for name, table in sections().items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
