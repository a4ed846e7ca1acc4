"""One notice as it came by HTTP, and what is answered; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A notice, as it was sent.

    Attributes:
        headers: By lower-case names.
        body: As it came: signatures are over these bytes.
        at: When it came, epoch seconds.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: float

    def header(self, name: str) -> str:
        """Return a header by its lower-case name; empty if it was not sent."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the sender is told.

    Attributes:
        outcome: For the metrics: `stored`, `repeated`, `ignored`, `stale`, `malformed` or `failed`.
        json: A JSON document in place of a line of text; empty for none.
    """

    status: int
    outcome: str
    json: str = ""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The notice is not read: it has no secret or none that is ours, or is out of bounds.

    Attributes:
        status: 401 where there is no secret, 403 where it is wrong or its time is over.
        why: For the log; holds nothing of what was sent.
        retry_after: Seconds after which it may come again; 0 where that is in vain.
    """

    status: int
    why: str
    retry_after: int = 0


NO_SECRET = Forbidden(HTTPStatus.UNAUTHORIZED, "it has no secret")
WRONG_SECRET = Forbidden(HTTPStatus.FORBIDDEN, "its secret is wrong")
WRONG_SIGNATURE = Forbidden(HTTPStatus.FORBIDDEN, "its signature is wrong")
OUT_OF_TIME = Forbidden(HTTPStatus.FORBIDDEN, "its time is more than 5 min from now")
