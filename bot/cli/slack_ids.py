"""Ids of Slack as arguments of the command line: what is no id is said so, and where to find it."""

import argparse
import re


def user_id(text: str) -> str:
    """Return a user's id.

    Raises:
        ArgumentTypeError: It is none.
    """
    return _checked(text, "UW", "a user's id, like U0123456789", "Profile > More > Copy member ID")


def channel_id(text: str) -> str:
    """Return a channel's id, or the empty text that means none.

    Raises:
        ArgumentTypeError: It is none.
    """
    where = "the channel's name > About, at its end"
    return text and _checked(text, "CGD", "a channel's id, like C0123456789", where)


def group_id(text: str) -> str:
    """Return a user group's id.

    Raises:
        ArgumentTypeError: It is none.
    """
    where = "People > User groups, the group's menu > Copy group ID"
    return _checked(text, "S", "a user group's id, like S0123456789", where)


def _checked(text: str, first: str, kind: str, where: str) -> str:
    if not re.fullmatch(f"[{first}][A-Z0-9]+", text):
        shown = "".join(c if c.isprintable() else " " for c in text[:60])
        raise argparse.ArgumentTypeError(f'"{shown}" is not {kind}; in Slack: {where}')
    return text
