"""The facts collected from the reference of the Tencent Cloud API."""

import json
from typing import Any

import pytest

from tests.support.paths import ROOT

_FACTS = ROOT.parent / "shared" / "facts"


def facts(name: str) -> dict[str, Any]:
    file = _FACTS / name
    if not file.exists():
        pytest.skip(f"{name} is not beside this checkout")
    found: dict[str, Any] = json.loads(file.read_text())
    return found
