"""Spans of an operation, for whoever collects them; nothing at all where nobody does."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""What a span says. Never a parameter of a request: it may be a stream key."""


class Kind(Enum):
    """The side of a call that a span is about."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"


class Span(Protocol):
    """A span that has begun."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def fail(self, kind: str) -> None:
        """Say that it has failed.

        Args:
            kind: One of a few that are known, such as an error code.
        """
        ...


class Traces(Protocol):
    """Makes the spans of operations: one trace for each, over all replicas."""

    def span(
        self,
        operation: str,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a span that lasts as long as its context.

        Args:
            operation: The operation's id, from which the trace's id follows.
            name: ROOT for the first span of the trace, beneath which all others are.
        """
        ...


ROOT = "ask"
"""The name of the first span of each trace."""


def ids_of(operation: str) -> tuple[int, int]:
    """Return the ids of an operation's trace and of the first span in it."""
    digest = hashlib.sha256(f"stopstream:{operation}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


class _NoSpan:
    """A span that nobody collects, and its own context."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def note(self, attributes: Attributes) -> None:
        """Do nothing."""

    def fail(self, kind: str) -> None:
        """Do nothing."""


class _NoTraces:
    """Makes no spans."""

    def span(
        self,
        operation: str,  # noqa: ARG002 (nobody collects it)
        name: str,  # noqa: ARG002
        kind: Kind = Kind.INTERNAL,  # noqa: ARG002
        attributes: Attributes | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        return _NO_SPAN


_NO_SPAN = _NoSpan()

NO_TRACES: Traces = _NoTraces()
"""Where no endpoint is set."""
