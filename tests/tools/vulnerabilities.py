"""Asks the advisory database for known holes in what is locked: `make vulnerabilities`.

Exits with 0 where there is none, 1 where there is one, 3 where not all could be asked for.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from bot.cli.output import complain, say
from tests.support.paths import ROOT

LOCKS = ("requirements-otel.lock", "requirements-build.lock")
"""All that runs in production, with traces, and what makes the wheel."""

HOLES, NOT_ASKED = 1, 3


@dataclass(frozen=True, slots=True)
class Audit:
    """What the advisory database said about a lock file.

    Attributes:
        holes: One line each.
        not_asked: Why it did not answer for all, one line each.
    """

    holes: tuple[str, ...]
    not_asked: tuple[str, ...]


def read(printed: str, complaint: str) -> Audit:
    """Read what `pip-audit --format json` printed, and what it complained of."""
    try:
        found: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except (ValueError, LookupError, TypeError):
        return Audit((), (complaint.strip().rpartition("\n")[2] or "pip-audit printed nothing",))
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in"
        f" {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    not_asked = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
    return Audit(tuple(holes), tuple(not_asked))


def exit_code(audits: list[Audit]) -> int:
    """Return the exit code; a hole weighs more than what could not be asked for."""
    if any(audit.holes for audit in audits):
        return HOLES
    return NOT_ASKED if any(audit.not_asked for audit in audits) else 0


def main(pip_audit: str) -> int:
    """Ask for each lock file, print what is known and return the exit code."""
    audits = [_ask(pip_audit, lock) for lock in LOCKS]
    for lock, audit in zip(LOCKS, audits, strict=True):
        for hole in audit.holes:
            say(f"{lock}: {hole}")
        if audit.not_asked:
            first, others = audit.not_asked[0], len(audit.not_asked) - 1
            more = f", and {others} more" if others else ""
            complain(f"{lock}: not all could be asked for: {first}{more}")
        elif not audit.holes:
            say(f"{lock}: no known hole")
    return exit_code(audits)


def _ask(pip_audit: str, lock: str) -> Audit:
    options = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    done = subprocess.run(  # noqa: S603 (our own arguments)
        (pip_audit, *options, "-r", ROOT / lock), capture_output=True, text=True, check=False
    )
    return read(done.stdout, done.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
