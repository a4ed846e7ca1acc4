"""Environment variables that look like settings and are none."""

import difflib
import re
from collections.abc import Iterable, Iterator

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


def misspelt(names: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Yield a line for each variable that is no setting but looks like one.

    With it stands whether that is fine: nothing is near, so it may be of another release.

    Args:
        names: Those of the environment.
    """
    known = [str(field.alias) for field in Settings.model_fields.values()]
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
