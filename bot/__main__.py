"""The command line: what can be typed after `stopstream`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bot.errors import ConfigError, StoreError

DONE, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code: 0 done, 1 it did not hold or failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ConfigError as error:
        for problem in error.problems:
            print(f"stopstream: {problem}", file=sys.stderr)  # noqa: T201 (a terminal)
        return USAGE
    except StoreError as error:
        print(f"stopstream: the database: {error}", file=sys.stderr)  # noqa: T201 (a terminal)
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has enough of it.
        sys.stdout = None
        return DONE


def _run(options: argparse.Namespace) -> int:
    # Each command imports what it needs, so that `--help` and errors come at once.
    match options.command:
        case "serve":
            from bot.cli.serve import serve  # noqa: PLC0415 (see above)

            return asyncio.run(serve())
        case "demo":
            from bot.cli.demo import demo  # noqa: PLC0415 (see above)

            return asyncio.run(demo(once=options.once))
        case _:
            from bot.cli import main as terminal  # noqa: PLC0415 (see above)

            return terminal.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stopstream",
        description="Stops a live stream from Slack: policy, approval, a signed Tencent Cloud "
        "call, and an audit trail.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="try it here: an emulated Slack and Tencent Cloud, no account, no key"
    )
    demo.add_argument("--once", action="store_true", help="tell one full story and exit")

    commands.add_parser("serve", help="run the bot")
    commands.add_parser("check", help="check configuration, Slack and Tencent Cloud")

    run = commands.add_parser("run", help="run a command from here, for when Slack is down")
    run.add_argument("text", metavar="TEXT", help="as after /stopstream, e.g. 'live stream1'")
    run.add_argument("--actor", required=True, metavar="U…", help="who asks: a Slack user id")
    run.add_argument("--channel", default="", metavar="C…", help="as if asked in this channel")
    run.add_argument("--json", action="store_true", help="print the outcome as JSON")

    commands.add_parser("pending", help="list what has no ending yet")

    commands.add_parser("off", help="list what is off and not yet on, and what is held")

    decide = commands.add_parser("decide", help="approve or deny what waits, as its buttons would")
    decide.add_argument("id", metavar="ID", help="of the operation, as pending lists it")
    decide.add_argument("decision", choices=("approve", "deny"))
    decide.add_argument("--actor", required=True, metavar="U…", help="who decides")
    decide.add_argument("--reason", default="", metavar="TEXT")
    decide.add_argument(
        "--emergency",
        action="store_true",
        help="go without the second person, if the policy lets you; needs --reason",
    )
    decide.add_argument("--json", action="store_true", help="print the outcome as JSON")

    policy = commands.add_parser("policy", help="the policy file")
    policies = policy.add_subparsers(dest="what", required=True, metavar="WHAT")
    explain = policies.add_parser("explain", help="which rule lets a command pass, or why none")
    explain.add_argument("text", metavar="TEXT")
    explain.add_argument("--user", required=True, metavar="U…")
    explain.add_argument("--channel", default="", metavar="C…")
    explain.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="S…",
        help="a user group the user is in; may be repeated",
    )
    policies.add_parser("check", help="validate the file")
    policies.add_parser("schema", help="print its JSON Schema")

    audit = commands.add_parser("audit", help="the audit trail")
    audits = audit.add_subparsers(dest="what", required=True, metavar="WHAT")
    verify = audits.add_parser("verify", help="check that every record holds")
    verify.add_argument(
        "--against-channel",
        action="store_true",
        help="hold the records to the checkpoints in the audit channel, too",
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
    tail.add_argument("-n", type=int, default=20, metavar="N", help="how many (20)")
    tail.add_argument("--since", default="", metavar="24h", help="a duration or an ISO date")
    export = audits.add_parser("export", help="write the records out")
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    export.add_argument("--since", default="", metavar="24h", help="a duration or an ISO date")
    export.add_argument("--until", default="", metavar="1h", help="a duration or an ISO date")
    audits.add_parser("checkpoint", help="seal where the trail ends now, for the audit channel")
    prune = audits.add_parser("prune", help="remove old records, behind a signed tombstone")
    prune.add_argument("--keep", default="", metavar="400d", help="how long records are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
