"""Environment variables, and files of the secrets' folder, that look like settings and are none."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from bot.cli.output import one_line
from bot.cli.secret_files import FOLDER
from bot.cli.settings import Settings

_PREFIX = "STOPSTREAM_"
_OF_OTHERS = ("SLACK_", "TENCENTCLOUD_", "TKE_")
"""Prefixes under which other programs have variables, too."""

_NEAR = 0.85
"""How near a name must be to that of a setting, from 0 to 1, to be called misspelt."""

_OF_KUBERNETES = re.compile(
    "STOPSTREAM(_[A-Z0-9_]+)?_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)"
    "|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets for a service whose name is or begins with `stopstream`.

Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""


def set_names(environment: Mapping[str, str]) -> set[str]:
    """Return the names of the variables that are set: an empty one counts as absent."""
    return {name for name, value in environment.items() if value}


def misspelt_files(files: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Yield a line for each file of the secrets' folder that looks like one of a setting.

    Args:
        files: The names of all files in it; most may be of other programs.
    """
    known = _known()
    present = set(files)
    for file in sorted(present.difference(known)):
        name = file.partition(".")[0].replace("-", "_").upper()
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near and name.startswith((_PREFIX, *_OF_OTHERS)) and near[0] not in present:
            yield False, f"{FOLDER}: {one_line(file)} is no setting; did you mean {near[0]}?"
        elif name.startswith(_PREFIX):
            yield True, f"{FOLDER}: {one_line(file)} is no setting, and is ignored"


def _known() -> list[str]:
    return [str(field.alias) for field in Settings.model_fields.values()]


def misspelt(names: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Yield a line for each variable that is no setting but looks like one.

    With it stands whether that is fine: nothing is near, so it may be of another release.

    Args:
        names: Those of the environment that are set to something.
    """
    known = _known()
    present = set(names)
    for name in sorted(present.difference(known)):
        if _OF_KUBERNETES.fullmatch(name):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near and name.startswith((_PREFIX, *_OF_OTHERS)) and near[0] not in present:
            yield False, f"{name}: is no setting; did you mean {near[0]}?"
        elif near and name.startswith(_PREFIX):
            yield False, f"{name}: is no setting; {near[0]} is set, too"
        elif name.startswith(_PREFIX):
            yield True, f"{name}: is no setting of this release, and is ignored"
