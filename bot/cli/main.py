"""The command line: what can be typed after `stopstream`, and which function runs it."""

import argparse
import asyncio
import functools
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from bot.cli.output import DONE, FAILED, USAGE, complain, say
from bot.cli.slack_ids import channel_id, group_id, user_id
from bot.errors import ConfigError, NoTablesError, StoreError
from bot.release import version

_DIGITS = 18
"""Of a number that a database can hold."""

AddParser: TypeAlias = Callable[..., argparse.ArgumentParser]
"""Adds the parser of one command, as `add_parser` of argparse does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed or refused, 2 wrong usage."""
    options = build_parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except ConfigError as error:
        for problem in error.problems:
            complain(problem)
        return USAGE
    except NoTablesError as error:
        complain(_of_database(error))
        return DONE if _only_lists(options) else FAILED
    except StoreError as error:
        complain(_of_database(error))
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:
        # The reader of standard output has closed it, as `head` does.
        sys.stdout = None
        return DONE


def _dispatch(options: argparse.Namespace) -> int:
    # What is imported lives on: to look for garbage meanwhile takes a sixth of a start.
    gc.disable()
    try:
        run = _imported(options)
    finally:
        gc.freeze()
        gc.enable()
    return run()


def _imported(options: argparse.Namespace) -> Callable[[], int]:
    # Each command imports what it needs, so that `--help` and errors come at once.
    match options.command:
        case "serve":
            from bot.cli.serve import run as run_server  # noqa: PLC0415 (see above)

            return run_server
        case "demo" if options.once:
            from bot.cli.story import story  # noqa: PLC0415 (see above)

            return lambda: asyncio.run(story())
        case "demo":
            from bot.cli.demo import demo  # noqa: PLC0415 (see above)

            return lambda: asyncio.run(demo())
        case _:
            from bot.cli.terminal import run  # noqa: PLC0415 (see above)

            return lambda: run(options)


def _of_database(error: StoreError) -> str:
    from bot.cli.store_place import sentence_of  # noqa: PLC0415 (see above)

    return sentence_of(error)


def _only_lists(options: argparse.Namespace) -> bool:
    """Return whether a command is done where nothing is stored: it vouches for nothing."""
    listed = options.command == "audit" and options.what in ("tail", "export")
    return listed or options.command in ("pending", "off")


def _positive(text: str) -> int:
    """Return a whole number from 1 on.

    Raises:
        ArgumentTypeError: It is none.
    """
    return _whole(text, 1)


def _record(text: str) -> int:
    """Return the number of a record, or 0, which is before the first one.

    Raises:
        ArgumentTypeError: It is none.
    """
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    if not plain or int(text) < least:
        raise argparse.ArgumentTypeError(f"write a whole number from {least} on")
    return int(text)


class _Version(argparse.Action):
    """Prints the release, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and exit."""
        say(f"stopstream {version()}")
        parser.exit()


@functools.cache
def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, which takes 15 ms to build."""
    parser = argparse.ArgumentParser(
        prog="stopstream",
        description="Stops a live stream from Slack: policy, approval, a signed Tencent Cloud "
        "call, and an audit trail.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add: AddParser = commands.add_parser

    demo = add("demo", help="try it here: an emulated Slack and Tencent Cloud, no account, no key")
    demo.add_argument("--once", action="store_true", help="tell one full story and exit")

    parser.add_argument("--version", action=_Version, help="print the release and exit")
    add("serve", help="run the bot")
    add("check", help="check configuration, Slack and Tencent Cloud")
    _add_operations(add)
    _add_policy(add)
    cam = add("cam-policy", help="print the CAM policy for the bot's key at Tencent Cloud, as JSON")
    cam.add_argument("--account", default="", metavar="NAME", help="where the policy has several")
    callbacks = add("callbacks", help="the callbacks of Tencent Cloud Live")
    what = callbacks.add_subparsers(dest="what", required=True, metavar="WHAT")
    what.add_parser("show", help="print what to register at Tencent Cloud")
    _add_audit(add)
    _add_database(add)
    return parser


def _add_operations(add: AddParser) -> None:
    run = add("run", help="run a command from here, for when Slack is down")
    run.add_argument("text", metavar="TEXT", help="as after /stopstream, e.g. 'live stream1'")
    run.add_argument(
        "--actor", type=user_id, required=True, metavar="U…", help="who asks: a Slack user id"
    )
    run.add_argument(
        "--channel", type=channel_id, default="", metavar="C…", help="as if asked in this channel"
    )
    run.add_argument(
        "--reason", default="", metavar="CODE", help="as reason=CODE; a text without reasons:"
    )
    run.add_argument("--json", action="store_true", help="print the outcome as JSON")
    run.add_argument(
        "--allow-nothing-live",
        action="store_true",
        help="exit 0, not 1, for a stop of what was not live",
    )
    add("pending", help="list what has no ending yet")
    add("off", help="list what is off and not yet on, and what is held")
    decide = add("decide", help="approve or deny what waits, as its buttons would")
    decide.add_argument("id", metavar="ID", help="of the operation, as pending lists it")
    decide.add_argument("decision", choices=("approve", "deny"))
    decide.add_argument("--actor", type=user_id, required=True, metavar="U…", help="who decides")
    decide.add_argument("--reason", default="", metavar="TEXT")
    decide.add_argument(
        "--emergency",
        action="store_true",
        help="go without the second person, if the policy lets you; needs --reason",
    )
    decide.add_argument("--json", action="store_true", help="print the outcome as JSON")


def _add_policy(add: AddParser) -> None:
    policy = add("policy", help="the policy file")
    policies = policy.add_subparsers(dest="what", required=True, metavar="WHAT")
    explain = policies.add_parser("explain", help="which rule lets a command pass, or why none")
    explain.add_argument("text", metavar="TEXT")
    explain.add_argument("--user", type=user_id, required=True, metavar="U…")
    explain.add_argument("--channel", type=channel_id, default="", metavar="C…")
    explain.add_argument(
        "--group",
        type=group_id,
        action="append",
        default=[],
        metavar="S…",
        help="a user group the user is in; may be repeated",
    )
    policies.add_parser("init", help="write a first policy file, with comments")
    policies.add_parser("check", help="validate the file")
    policies.add_parser("schema", help="print its JSON Schema")


def _add_database(add: AddParser) -> None:
    database = add("db", help="the database: its schema, its upgrade, a copy of it")
    databases = database.add_subparsers(dest="what", required=True, metavar="WHAT")
    databases.add_parser("status", help="which schema it has, and which releases may use it")
    databases.add_parser("upgrade", help="bring its schema to this release's")
    backup = databases.add_parser("backup", help="write a copy of it while it is in use")
    backup.add_argument("file", metavar="FILE", help="of the copy; must not be there yet")


def _add_audit(add: AddParser) -> None:
    audit = add("audit", help="the audit trail")
    audits = audit.add_subparsers(dest="what", required=True, metavar="WHAT")
    verify = audits.add_parser("verify", help="check that no record was changed")
    verify.add_argument(
        "--against-channel",
        action="store_true",
        help="hold the records to what stands in the audit channel, too, and the reverse",
    )
    verify.add_argument(
        "--against",
        default="",
        metavar="FILE",
        help="hold the records to a copy that the audit sink has, too, and the reverse",
    )
    verify.add_argument(
        "--channel-keeps",
        default="",
        metavar="90d",
        help="how long the channel keeps messages; left out: for ever",
    )
    verify.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="KEY",
        help="another public key whose seals count; may be repeated",
    )
    show = audits.add_parser("show", help="tell the whole story of one operation")
    show.add_argument("id", metavar="ID", help="of the operation, as cards and lines say it")
    tail = audits.add_parser("tail", help="show the newest records")
    tail.add_argument("-n", type=_positive, default=20, metavar="N", help="how many (20)")
    tail.add_argument("--since", default="", metavar="24h", help="a duration or an ISO date")
    export = audits.add_parser("export", help="write the records out")
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    export.add_argument("--since", default="", metavar="24h", help="a duration or an ISO date")
    export.add_argument("--until", default="", metavar="1h", help="a duration or an ISO date")
    bundle = audits.add_parser("bundle", help="write a case as an archive that others can verify")
    bundle.add_argument(
        "case",
        metavar="CASE",
        help="an operation's id, a case like INC-42, or the link to a message of its thread",
    )
    bundle.add_argument("--out", default="", metavar="FILE", help="must not be there yet")
    bundle.add_argument(
        "--picture",
        action="append",
        default=[],
        metavar="FILE",
        help="a picture of it, whose SHA-256 goes on the trail first; may be repeated",
    )
    statement = audits.add_parser(
        "statement", help="print a ban's statement of reasons (Digital Services Act) as JSON"
    )
    statement.add_argument(
        "case",
        metavar="CASE",
        help="an operation's id, or a case or the link to a message of a thread with one ban",
    )
    statement.add_argument(
        "--content-date",
        default="",
        metavar="2026-11-27",
        help="the content's day, where the trail does not show that it was live",
    )
    follow = audits.add_parser("follow", help="write the records as they come, until Ctrl-C")
    follow.add_argument("--json", action="store_true", help="as export writes them")
    follow.add_argument(
        "--after",
        type=_record,
        default=None,
        metavar="N",
        help="the last record that you have; left out: from now on",
    )
    audits.add_parser("checkpoint", help="seal where the trail ends now, for the audit channel")
    known = audits.add_parser(
        "acknowledge", help="say that you know what a `tampered` record is about"
    )
    known.add_argument(
        "records", nargs="*", type=_positive, metavar="RECORD", help="its number, as verify says it"
    )
    known.add_argument(
        "--seals", action="store_true", help="of strangers' seals, which are removed"
    )
    known.add_argument("--reason", required=True, metavar="TEXT", help="what had happened")
    rotate = audits.add_parser("rotate-key", help="seal with a new key, which the old one signs")
    rotate.add_argument(
        "--to", metavar="FILE", help="file of the new key; by default the old one's"
    )
    rotate.add_argument(
        "--abandon-key",
        action="store_true",
        help="the old key is lost: go on with the one that is set, and say so on the trail",
    )
    rotate.add_argument(
        "--reason", default="", metavar="TEXT", help="why; with --abandon-key a must"
    )
    prune = audits.add_parser("prune", help="remove old records, behind a signed tombstone")
    prune.add_argument("--keep", default="", metavar="400d", help="how long records are kept")
    prune.add_argument(
        "--force", action="store_true", help="more than a tenth at once, whatever the clock says"
    )
