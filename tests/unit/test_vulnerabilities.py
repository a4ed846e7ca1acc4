"""How the answer of the advisory database is read."""

import json
from typing import Any

import pytest

from tests.tools.vulnerabilities import HOLES, NOT_ASKED, Audit, exit_code, read

CLEAN: dict[str, Any] = {"name": "httpx", "version": "0.28.1", "vulns": []}
HOLED: dict[str, Any] = {
    "name": "aiohttp",
    "version": "3.9.0",
    "vulns": [{"id": "PYSEC-2024-24", "fix_versions": ["3.9.2"], "aliases": []}],
}
UNKNOWN: dict[str, Any] = {"name": "hatchling", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("dependencies", "code"),
    [
        ([], 0),
        ([CLEAN], 0),
        ([CLEAN, HOLED], HOLES),
        ([CLEAN, UNKNOWN], NOT_ASKED),
        ([UNKNOWN, HOLED], HOLES),
    ],
)
def test_exit_code_tells_a_hole_from_no_answer(
    dependencies: list[dict[str, Any]], code: int
) -> None:
    """A hole is 1, what could not be asked for is 3, and both together are 1."""
    assert exit_code([read(json.dumps({"dependencies": dependencies, "fixes": []}), "")]) == code


@pytest.mark.parametrize("printed", ["", "no JSON", "[]", "{}", "null"])
def test_unreadable_answer_is_no_answer(printed: str) -> None:
    """Where nothing can be read, the last line of the complaint says why, and it is no finding."""
    audit = read(printed, "first\nERROR: connection refused\n")
    assert audit == Audit((), ("ERROR: connection refused",))
    assert exit_code([Audit((), ()), audit]) == NOT_ASKED


def test_hole_names_the_version_that_mends_it() -> None:
    """The line says what to raise, to what, and which advisory says so."""
    (line,) = read(json.dumps({"dependencies": [HOLED]}), "").holes
    assert line == "aiohttp 3.9.0: PYSEC-2024-24, mended in 3.9.2"
