"""Runs a module with the packages that production installs, and none of the development group's.

Some libraries load what they find beside them, for example `rich`: that is memory and time which
nobody spends in production.
"""

import importlib.metadata
import re
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from tests.support.paths import ROOT


class OnlyLocked(MetaPathFinder):
    """Refuses to find what is installed here and not named in `requirements.lock`."""

    def __init__(self) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        locked = {_normal(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
        self._absent = frozenset(
            name
            for name, owners in importlib.metadata.packages_distributions().items()
            if locked.isdisjoint(map(_normal, owners)) and "stopstream" not in owners
        )

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find nothing, and raise for a package that production does not have."""
        if path is None and fullname in self._absent:
            raise ModuleNotFoundError(f"production has no {fullname}", name=fullname)
        return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.meta_path.insert(0, OnlyLocked())
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
