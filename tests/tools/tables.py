"""Writes the tables of README and docs: `python -m tests.tools.tables`; a test compares them."""

from argparse import ArgumentParser
from typing import Any

from bot.catalog import builtin as own
from bot.catalog.registry import ACTIONS, PRODUCTS
from bot.cli.main import build_parser
from bot.cli.settings import Settings
from bot.commands.formatting import example
from bot.metrics import Metrics
from bot.model.actions import Action, Effect, Product
from tests.support.paths import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""The pages that may hold tables."""


def sections() -> dict[str, str]:
    """Return each table by the name of its place."""
    return {
        **{f"commands-{one.name}": _commands_of(one) for one in PRODUCTS},
        "commands-bot": _commands(),
        "actions": _actions(),
        "settings": _settings(),
        "terminal": _terminal(),
        "metrics": _metrics(),
    }


def _metrics() -> str:
    rows = [
        [f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help]
        for one in sorted(Metrics().described, key=lambda one: one.name)
    ]
    return _table("name | kind | labels | meaning", rows)


_AUDIT = (
    "[since=24h] [user=me] [action=ban] [target=stream1] [ending=failed] [case=INC-42] "
    "[account=europe]"
)


def _table(head: str, rows: list[list[str]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _commands_of(product: Product) -> str:
    rows = [[f"`{example(a)}`", a.does] for a in ACTIONS if a.product is product]
    return _table("type | does", rows)


def _commands() -> str:
    rows = [
        ["`/stopstream DropLiveStream StreamName=… DomainName=…`", "Any action by its API name."],
        ["`/stopstream live rtmp://PUSH-HOST/live/stream1?…`", "A push or play URL for STREAM."],
        ["`/stopstream main-stage`", "A target of the policy file."],
        ["`/stopstream` · `/startstream`", "A form."],
        [
            "`/stopstream live stream1 for=30m`",
            "Keep it off that long, by a ban; the thread says when it ends.",
        ],
        ["`/stopstream off`", "What is off or held, with the button that brings it back."],
        *([f"`{example(action)}`", action.does] for action in own.ACTIONS),
        ["`… case=INC-42`", "With any action: the incident that it belongs to."],
        ["`… account=europe`", "With any action: the cloud account, where there are several."],
        [
            "`/stopstream help [KIND]`",
            "What you can do here, with examples to paste.",
        ],
        ["`/stopstream whoami`", "Your roles, what they allow here, and why not the rest."],
        [
            f"`/stopstream audit {_AUDIT}`",
            "What was asked here or by you; of everyone, if your role says `audit: true`.",
        ],
        ["`@stopstream stop …` · `start …` · `status …`", "The same text, in a thread too."],
    ]
    return _table("type | does", rows)


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
    # A class's own fields come first for readers, and after those of its bases for pydantic.
    own = Settings.__annotations__
    by_class = sorted(Settings.model_fields.items(), key=lambda item: item[0] not in own)
    for _, field in by_class:
        default = field.get_default(call_default_factory=True, validated_data={})
        rows.append([f"`{field.alias}`", field.description or "", _default(default)])
    return _table("name | meaning | default", rows)


def _default(value: object) -> str:
    """Return a default as one would write it in the environment."""
    if value in (None, "", {}, ()):
        return "–"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


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
    """Return a page with every table in its place."""
    for name, table in sections().items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, marked, rest = text.partition(begin)
        if marked:
            after = rest.partition(end)[2]
            text = f"{before}{begin}{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text()))
